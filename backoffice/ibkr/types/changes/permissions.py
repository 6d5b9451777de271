"""Operations on what may be traded: markets, margin, capabilities, investor categories."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backoffice.ibkr.types.accounts.openings import TradingPermission
from backoffice.ibkr.types.base import Request
from backoffice.ibkr.types.documents import Documents, DocumentSubmission
from backoffice.ibkr.types.operation import Change

CLP_FORM = 4155  # the risk disclosure for complex and leveraged products
Signatures = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
Permissions = Annotated[tuple[TradingPermission, ...], Field(min_length=1)]


class AddTradingPermissions(Change):
    """Add markets or products. New regions come at once, new products after one or two business days."""

    operation: ClassVar[str] = "addTradingPermissions"
    trading_permissions: Permissions
    option_level: Annotated[int, Field(ge=0, le=4)] | None = None
    document_submission: DocumentSubmission | None = None

    @model_validator(mode="after")
    def _same_account(self) -> Self:
        _for_same_account(self, self.document_submission)
        return self


class RemoveTradingPermissions(Change):
    """Take markets or products away; the same day before 17:00 in New York, else on the next business day."""

    operation: ClassVar[str] = "removeTradingPermissions"
    trading_permissions: Permissions


class ChangeMarginType(Change):
    """Upgrade from Cash to RegT or to portfolio margin. Traps: never downwards, and its form is signed first."""

    operation: ClassVar[str] = "changeMarginType"
    new_margin: Literal["RegT", "PortfolioMargin"]
    # IBKR's specification has a free text of this name (?) and its documents do not explain it.
    margin_operation: Annotated[str, Field(min_length=1)] | None = Field(default=None, alias="operation")
    document_submission: DocumentSubmission | None = None

    @model_validator(mode="after")
    def _same_account(self) -> Self:
        _for_same_account(self, self.document_submission)
        return self


class AddClpCapability(Change):
    """Allow complex and leveraged products. Trap: without form 4155, here or submitted before, it is refused."""

    operation: ClassVar[str] = "addCLPCapability"
    documents: Documents = ()

    @model_validator(mode="after")
    def _risk_disclosure(self) -> Self:
        if self.documents and CLP_FORM not in {each.form_number for each in self.documents}:
            raise ValueError(f"the risk disclosure, form {CLP_FORM}, is missing")
        return self


class AddLevFxCapability(Change):
    """Allow leveraged foreign exchange; IBKR reviews it."""

    operation: ClassVar[str] = "addLevFxCapability"


class PurchaserCriterion(Request):
    """One ground for being a qualified purchaser."""

    code: Literal["InvestmentCompanyAct", "DiscretionaryBasis"]
    status: bool


class QualifiedPurchaser(Request):
    """Whether the client is a qualified purchaser (net worth above 5 million), and on what ground."""

    status: bool
    qualified_purchaser_details: tuple[PurchaserCriterion, ...] = ()

    @model_validator(mode="after")
    def _grounded(self) -> Self:
        _require_ground(self.status, [(each.code, each.status) for each in self.qualified_purchaser_details])
        return self


class ParticipantCriterion(Request):
    """One ground for being an eligible contract participant."""

    code: Literal["HighRisk", "DiscretionaryBasis"]
    status: bool


class EligibleContractParticipant(Request):
    """Whether the client is an eligible contract participant (net worth above 5 million), and on what ground."""

    status: bool
    eligible_contract_participant_details: tuple[ParticipantCriterion, ...] = ()

    @model_validator(mode="after")
    def _grounded(self) -> Self:
        _require_ground(self.status, [(each.code, each.status) for each in self.eligible_contract_participant_details])
        return self


class AccreditedInvestor(Change):
    """Whether the client is an accredited investor (net worth of at least 1 million), signed by the holders."""

    operation: ClassVar[str] = "accreditedInvestor"
    status: bool
    signed_by: Signatures
    signature: Annotated[str, Field(min_length=1)] | None = None
    qualified_purchaser: QualifiedPurchaser | None = None
    eligible_contract_participant: EligibleContractParticipant | None = None


def _require_ground(status: bool, grounds: list[tuple[str, bool]]) -> None:
    codes = [code for code, _ in grounds]
    if len(codes) != len(set(codes)):
        raise ValueError("each ground may be named only once")
    if status and not any(holds for _, holds in grounds):
        raise ValueError("say on what ground")


def _for_same_account(change: Change, submission: DocumentSubmission | None) -> None:
    if submission is not None and submission.account_id != change.account_id:
        raise ValueError("the documents belong to another account")
