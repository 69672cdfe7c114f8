"""Routes for machines that watch: alive, ready, metrics. None of them reads figures."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from offgridflow.api import schemas
from offgridflow.api.access import Scope
from offgridflow.api.context import Context, needs, parts_of
from offgridflow.api.documents import problems
from offgridflow.api.problems import ApiError, Code

router = APIRouter(tags=["health"])


@router.get("/healthz", responses={200: {"model": schemas.Health}, **problems()})
async def alive() -> dict[str, object]:
    """Whether the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={200: {"model": schemas.Health}, **problems()})
def ready(request: Request) -> dict[str, object]:
    """Whether the ledger can be read, its newest version too; which version is served."""
    store = parts_of(request).service.store
    if not store.is_readable():
        raise _not_ready(sentence="The ledger cannot be read.")
    trouble, newest = store.trouble, store.newest
    if trouble is not None and newest is not None:
        raise _not_ready(sentence=trouble.told(newest.version))
    return {"status": "ok", "ledger_version": store.current().version}


def _not_ready(*, sentence: str) -> ApiError:
    action = "See the log; offgridflow verify finds damaged files."
    return ApiError(Code.NOT_READY, sentence, action=action, headers={"Retry-After": "5"})


@router.get(
    "/metrics",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
    response_class=Response,
)
def metrics(reader: Annotated[Context, Depends(needs(Scope.READ))]) -> Response:
    """Counters for Prometheus."""
    reader.require_whole()
    service = reader.service
    gauges = {
        "offgridflow_ledger_version": ("Version that is served.", float(service.store.current().version)),
        "offgridflow_ledger_unread_seconds": (
            "Seconds for which the newest version could not be read; 0 where it is served.",
            service.store.unread_seconds(),
        ),
        "offgridflow_rollup_rows": ("Rows of the rollup.", float(service.store.rollup_rows())),
        "offgridflow_heavy_queries_running": ("Queries over rows that run.", float(service.gate.running)),
        "offgridflow_heavy_queries_waiting": ("Queries over rows that wait.", float(service.gate.waiting)),
        "offgridflow_heavy_queries_refused": (
            "Queries refused with BUSY since the start.",
            float(service.gate.refused),
        ),
        "offgridflow_answers_kept_hits": ("Answers given again from memory.", float(service.bodies.hits)),
        "offgridflow_answers_kept_misses": ("Answers that had to be made.", float(service.bodies.misses)),
    }
    return Response(reader.parts.metrics.text(gauges), media_type="text/plain; version=0.0.4")
