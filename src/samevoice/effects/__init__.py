"""What changes a sound: noise, rooms, channels, codecs, speed; all chance comes from the generator handed in."""
