SELECT number, warehouse, version FROM revision;
