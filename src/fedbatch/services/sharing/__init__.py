"""Sharing: from the own journal into one agreement's ledger, what its rights allow and no more.

Rights act here and never at reading. Ids, sources, persons and mappings get pseudonyms of the
agreement; values its codes and units; places a commitment in their stead. `Planning` computes all of
it without writing: the dry run ('view as partner') and the posting are the same code.

    plan        what a run is given, and what it makes
    journal     the journal as it stands
    names       pseudonyms, numbers, provenance
    batches     which batches and lots belong to the agreement
    windows     which batch had a piece of equipment when
    rights      what the agreement opens now
    scope       all of that, as every part of a run needs it
    planning    the order of a run
"""

from fedbatch.services.sharing.plan import SharePlan, Sharing, WholeFile
from fedbatch.services.sharing.planning import SOURCE_FILE, Planning

__all__ = ["SOURCE_FILE", "Planning", "SharePlan", "Sharing", "WholeFile"]
