"""MCE: many containers in one network."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group
from local_test.conformance.bench import Bench
from local_test.conformance.checks.lifecycle import obeys_bind_to_port, other_ports_are_safe, two_share_a_network

GROUP = Group(claim=Claim.PIPELINE)


@GROUP.must(
    "MCE-01", "It shares one network with other containers: RUN-04, RUN-06 and RUN-07 hold.",
    source="DG:mme", pains=(61,),
    otherwise="Two containers of the endpoint want the same port; one of them dies, and the endpoint fails.",
    fix="Listen on SAGEMAKER_BIND_TO_PORT, and beside it on ports in SAGEMAKER_SAFE_PORT_RANGE alone.",
)  # fmt: skip
def shares_a_network(bench: Bench) -> str | None:
    obeys_bind_to_port(bench)
    two_share_a_network(bench)
    return other_ports_are_safe(bench)
