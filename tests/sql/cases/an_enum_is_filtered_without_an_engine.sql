SELECT ident FROM ledger WHERE kind = 'in' OR kind = 'out'
