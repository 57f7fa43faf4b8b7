"""Sharing: from the own journal into one agreement's ledger, what its rights allow and no more.

Rights act here and never at reading. Ids, sources, persons and mappings get pseudonyms of the
agreement; values its codes and units; places a commitment in their stead. `Planning` computes all of
it without writing: the dry run ('view as partner') and the posting are the same code.

    planning         the order of a run
    plan             what a run is given, and what it makes
    journal          the journal as it stands
    names            pseudonyms, numbers, provenance
    batches          which batches and lots belong to the agreement
    windows          which batch had a piece of equipment when
    rights           what the agreement opens at an instant
    scope            all of that, as every part of a run needs it
    statements       what a party says of itself and of the agreement
    files            source files
    journal_records  which of the journal's records are looked at, and how all but results are posted
    results          results, and what is derived from series
    renaming         from the journal's record to the ledger's
    withdrawals      what was posted and is taken back
    series           which series
    approvals        approvals and signatures
    held             what is held back and would have been shared
"""

from fedbatch.services.sharing.files import SOURCE_FILE
from fedbatch.services.sharing.plan import SharePlan, Sharing, WholeFile
from fedbatch.services.sharing.planning import Planning

__all__ = ["SOURCE_FILE", "Planning", "SharePlan", "Sharing", "WholeFile"]
