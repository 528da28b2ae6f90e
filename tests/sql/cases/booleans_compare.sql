SELECT ident FROM depot WHERE active < true
