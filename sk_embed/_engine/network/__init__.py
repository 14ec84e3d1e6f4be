"""The network ``raw = MLP(e_1[c_1], ..., e_C[c_C], x)``: trunk and tables, learned."""
