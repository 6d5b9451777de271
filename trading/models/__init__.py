"""What is traded, what accounts hold, how blocks are shared, and orders with their questions and executions."""

from trading.models.groups import (
    GROUP_CHANGES,
    AllocationGroup,
    ChangeKind,
    ChangeStatus,
    GroupChange,
    GroupMember,
    Method,
)
from trading.models.orders import (
    LIFECYCLE,
    Execution,
    Order,
    OrderAllocation,
    OrderQuestion,
    OrderType,
    Side,
    Status,
    Target,
    TimeInForce,
)
from trading.models.portfolio import AccountSnapshot, CashBalance, ExchangeRate, Instrument, Position
from trading.models.sync import DeskSync

__all__ = [
    "GROUP_CHANGES",
    "LIFECYCLE",
    "AccountSnapshot",
    "AllocationGroup",
    "CashBalance",
    "ChangeKind",
    "ChangeStatus",
    "DeskSync",
    "ExchangeRate",
    "Execution",
    "GroupChange",
    "GroupMember",
    "Instrument",
    "Method",
    "Order",
    "OrderAllocation",
    "OrderQuestion",
    "OrderType",
    "Position",
    "Side",
    "Status",
    "Target",
    "TimeInForce",
]
