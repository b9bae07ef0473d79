"""Files without pickle: arrays with a description and a checksum."""
