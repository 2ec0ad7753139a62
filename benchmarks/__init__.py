"""How fast the library is, beside its peers on the same work in the same run; `make bench` prints the tables."""
