SELECT string_agg('x', ';' ORDER BY 'x' DESC) AS marks FROM parcel
