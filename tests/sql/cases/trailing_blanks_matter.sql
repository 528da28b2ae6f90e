SELECT ident, city FROM badge WHERE city IN ('Bad Tölz', 'ulm ') OR city LIKE '%z '
