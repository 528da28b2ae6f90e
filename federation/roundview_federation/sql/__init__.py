"""Decides how a whole SQL question is answered: relations, plan, strategy, run, result.

relations  what there is to ask, for one principal
planning   text -> reads, with a plan for each, and the residual
strategy   which reads wait for the keys of others
tables     rows that arrived -> Arrow
running    reads at once or in rounds, then the residual in an engine
"""

from __future__ import annotations
