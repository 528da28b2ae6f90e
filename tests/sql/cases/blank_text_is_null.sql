SELECT ident FROM depot WHERE mark = ''
