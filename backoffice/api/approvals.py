"""What waits for a second person, and the decision on it. To decide asks for step-up, so only a browser's session can."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backoffice.api.making import Strict
from backoffice.api.registry import act, resource
from backoffice.api.rows import Row
from backoffice.api.views import ReadOnly, filter_parameters
from backoffice.audit import services as audit
from backoffice.core.errors import Conflict, Refusal
from backoffice.journal import selectors
from backoffice.journal import services as journal
from backoffice.journal.models import Answer, State, Submission
from backoffice.people.models import User


class ApprovalSerializer(Row[Submission]):
    claimed_by = serializers.SerializerMethodField()

    class Meta:
        model = Submission
        fields = ("id", "operation", "summary", "kind", "amount_usd", "accounts", "flags", "maker", "approvals_needed",
                  "approver_roles", "claimed_by", "payload_sha256", "created_at")  # fmt: skip
        read_only_fields = fields

    def get_claimed_by(self, row: Submission) -> UUID | None:
        """Who looks at it now; a claim that has lapsed is none."""
        return row.claimant.pk if row.claimant is not None else None


class DecisionAsked(Strict):
    """`payload_sha256` is the seal of what you looked at; a reason is needed to reject or return."""

    decision = serializers.ChoiceField(choices=["approve", "reject", "return"])
    payload_sha256 = serializers.RegexField(r"\A[0-9a-f]{64}\Z")
    reason = serializers.CharField(max_length=500, required=False, default="", allow_blank=True)


@resource("approvals")
@extend_schema_view(list=extend_schema(parameters=filter_parameters("kind")))
class Approvals(ReadOnly):
    """Everything that waits for a second person, the oldest first."""

    permission = "journal.approve"
    ordering = ("created_at", "pk")
    filters = {"kind": "kind"}
    serializer_class = ApprovalSerializer

    def rows(self, user: User) -> Any:
        # Whoever may approve sees every book (`policy`), so there is nothing to narrow to.
        return Submission.objects.filter(state=State.PROPOSED).select_related("claimed_by")


@act("decision", of="approvals")
class Decision(APIView):
    """Say yes, no, or "change it" to exactly the payload with this seal."""

    permission: ClassVar[str] = "journal.approve"

    @extend_schema(request=DecisionAsked, responses={200: ApprovalSerializer})
    def post(self, request: Request, pk: UUID) -> Response:
        user = request.user
        assert isinstance(user, User)
        submission = Submission.objects.filter(pk=pk).first()
        if submission is None or not selectors.visible([submission], user):
            raise Http404
        asked = DecisionAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            decided = _decide(submission, user, **asked.validated_data)
        except Refusal as error:
            audit.record("journal.refused", by=user, on=submission, summary=f"Not done: {error}"[:200])
            raise
        return Response({**ApprovalSerializer(decided).data, "state": decided.state})


def _decide(submission: Submission, by: User, decision: str, payload_sha256: str, reason: str) -> Submission:
    if decision == "approve":
        return journal.approve(submission, by=by, payload_sha256=payload_sha256, reason=reason)
    if payload_sha256 != submission.payload_sha256:
        raise Conflict("What you were shown is not what waits. Read it again and compare the seal.")
    answer = Answer.REJECTED if decision == "reject" else Answer.RETURNED
    return journal.refuse(submission, by=by, reason=reason, answer=answer)
