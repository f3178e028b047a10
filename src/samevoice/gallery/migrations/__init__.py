"""How a database comes to have the tables that this version of samevoice reads and writes."""
