"""What samevoice costs on the machine at hand: operations, stages, processes, and the limit of the hardware."""
