SELECT ident FROM depot WHERE budget IN (2.5, 100.00, NULL)
