"""Decides how a whole SQL question is answered: relations, plan, strategy, run, result.

relations  what there is to ask, for one principal
derived    which relations are computed from others, and the SELECT of each: customers, coverage,
           hiding (what is left of it for whom)
expansion  their SELECTs in the place of their names
plans, fingerprint, sharing, witness
           one plan for questions that differ in constants, where these decide nothing else
planned    what a planned question is
planning   text -> reads, with a plan for each, and the residual
strategy   which reads wait for the keys of others
tables     rows that arrived -> Arrow
matching   which rows that arrived are those that were asked for
own_rows   relations about the sources themselves
running    reads at once or in rounds, then the residual in an engine
"""

from __future__ import annotations
