"""How a call becomes records: a function by its name, arguments that are not None, rows read by column."""

from __future__ import annotations

from typing import Any, TypeVar

from book_enrichment.database.decoding import Record
from book_enrichment.database.transports import Row, Transport

R = TypeVar("R", bound=Record)


class Calls:
    """Calls of public functions, over whichever transport it is given."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def call(self, function: str, **arguments: Any) -> list[Row]:
        """Any public function by name; the rows as the transport brings them."""
        return await self.transport.call(
            function, {name: value for name, value in arguments.items() if value is not None}
        )

    async def _all(self, record: type[R], function: str, **arguments: Any) -> list[R]:
        return [record.from_row(row) for row in await self.call(function, **arguments)]

    async def _first(self, record: type[R], function: str, **arguments: Any) -> R | None:
        return next(iter(await self._all(record, function, **arguments)), None)

    async def _one(self, record: type[R], function: str, **arguments: Any) -> R:
        (only,) = await self._all(record, function, **arguments)
        return only
