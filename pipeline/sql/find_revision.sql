SELECT number, warehouse, version, erased FROM revision;
