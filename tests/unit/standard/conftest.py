"""Fixtures of the standard's tests."""

import pytest

from fedbatch.standard.agreements import (
    AgreedParameter,
    AgreedParty,
    AgreedProduct,
    AgreedSite,
    AgreementBody,
    Cadence,
    ClockTerm,
    Effective,
    Limit,
    Right,
)


@pytest.fixture
def body() -> AgreementBody:
    """An agreement's body with a limit, a cadence, a clock and a right."""
    return AgreementBody(
        id="ag-1",
        version=1,
        parties=(
            AgreedParty(party="party-c", role="CMO", name="Example CMO"),
            AgreedParty(party="party-s", role="sponsor", name="Example Sponsor"),
        ),
        product=(AgreedProduct(id="p-1", name="Examplol"),),
        sites=(AgreedSite(site="plant 1", zone="Europe/Ljubljana"),),
        purpose="pilot",
        effective=Effective(from_="2026-01-01T00:00:00Z"),
        parameters=(
            AgreedParameter(
                code="ASSAY",
                term="assay",
                role="result",
                unit="%{LC}",
                class_="CQA",
                limits=(Limit(kind="action", low="95.0", from_="2026-01-01T00:00:00Z"),),
            ),
        ),
        rights=(Right(record_type="result"),),
        cadence=(Cadence(record_type="result", trigger="daily", due="P1D", late_after="P2DT6H"),),
        clocks=(ClockTerm(about="deviation", start="discovered", notify="PT24H"),),
    )
