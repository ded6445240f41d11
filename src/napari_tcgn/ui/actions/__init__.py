"""What a person sets off in a session: a run, a comparison, gene-set scores, a second map, a grid moved by hand."""
