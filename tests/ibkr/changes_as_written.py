"""One request of every operation of PATCH /accounts, beside what IBKR must get: from the facts' samples where there is one."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from backoffice.ibkr.types import changes as ops
from backoffice.ibkr.types.accounts import NewAccount, TradingPermission
from backoffice.ibkr.types.documents import Document, DocumentFile, DocumentSubmission, ProcessDocuments
from backoffice.ibkr.types.finances import AssetExperience, FinancialInformation, SourceOfWealth
from backoffice.ibkr.types.holders import HolderDetails, PersonDetails, Title, UserPerson
from backoffice.ibkr.types.operation import Operation
from backoffice.ibkr.types.people import Identification, PersonName
from backoffice.ibkr.types.questionnaires import AnsweredForm, GivenAnswer, ProhibitedCountryAnswer, QuizTask
from backoffice.ibkr.types.tax import EntityTaxResidency, W8Ben

TODAY = date(2026, 11, 24)
ONE = {"account_id": "U0000001"}
NAMED = {"accountId": "U0000001"}


def paper(form: int, name: str = "", **more: Any) -> Document:
    return Document(
        form_number=form,
        file=DocumentFile.from_bytes(name or f"Form{form}.pdf", b"abc"),
        signed_by=("Ada Q Examplewright",),
        exec_timestamp=datetime(2026, 11, 24, 10, 30, tzinfo=UTC),
        exec_login_timestamp=datetime(2026, 11, 24, 10, 15, tzinfo=UTC),
        **more,
    )


def papers(form: int, **more: Any) -> dict[str, Any]:
    return {
        "formNumber": form,
        "signedBy": ["Ada Q Examplewright"],
        "execTimestamp": 20261124103000,
        "execLoginTimestamp": 20261124101500,
        "attachedFile": {
            "fileName": f"Form{form}.pdf",
            "fileLength": 3,
            "sha1Checksum": "a9993e364706816aba3e25717850c26c9cd0d89d",
        },
        "payload": {"mimeType": "application/pdf", "data": "YWJj"},
        **more,
    }


def submitted(*documents: Document) -> DocumentSubmission:
    return DocumentSubmission(**ONE, documents=documents)


W8 = W8Ben(
    name="Bruno Sampleton", foreign_tax_id="12345678Z", part29_a_country="ESP", cert=True, blank_form=True,
    tax_form_file="Form5001.pdf", proprietary_form_number=5001,
)  # fmt: skip
STOCKS = TradingPermission(country="BELGIUM", product="STOCKS")
EXPERIENCE = AssetExperience(asset_class="STK", years_trading=7, trades_per_year=20, knowledge_level="Extensive")
INCOME = SourceOfWealth(source_type="SOW-IND-Income", percentage=100, used_for_funds=True)
FINANCES = FinancialInformation(
    net_worth=Decimal(500000), liquid_net_worth=Decimal(200000), annual_net_income=Decimal(95000),
    investment_objectives=("Growth", "Trading"), investment_experience=(EXPERIENCE,), sources_of_wealth=(INCOME,),
    translated=False,
)  # fmt: skip

# IBKR's key -> the request, and what goes under the key.
WRITTEN: dict[str, tuple[Operation, Any]] = {
    "abandonAccount": (ops.AbandonAccount(**ONE), NAMED),
    "resetAbandonedAccount": (ops.ResetAbandonedAccount(**ONE), NAMED),
    "reopenAccount": (ops.ReopenAccount(**ONE), NAMED),
    "addLevFxCapability": (ops.AddLevFxCapability(**ONE), NAMED),
    "leaveSyep": (ops.LeaveSyep(**ONE), NAMED),
    "enrollInDrip": (ops.EnrollInDrip(**ONE), NAMED),
    "leaveDrip": (ops.LeaveDrip(**ONE), NAMED),
    "enrollInSyep": (ops.EnrollInSyep(**ONE), NAMED),
    "accountClose": (ops.AccountClose(**ONE, close_reason="Demo reason"), NAMED | {"closeReason": "Demo reason"}),
    "updateExternalId": (
        ops.UpdateExternalId(**ONE, new_external_id="demo-2001"),
        NAMED | {"newExternalId": "demo-2001"},
    ),
    "updateAccountAlias": (
        ops.AliasChange(**ONE, account_alias="Demo alias"),
        NAMED | {"accountAlias": "Demo alias"},
    ),
    "updatePropertyProfile": (
        ops.UpdatePropertyProfile(**ONE, property_profile="Standard"),
        NAMED | {"propertyProfile": "Standard"},
    ),
    "changeBaseCurrency": (
        ops.ChangeBaseCurrency(**ONE, new_base_currency="EUR"),
        NAMED | {"newBaseCurrency": "EUR"},
    ),
    "applyFeeTemplate": (
        ops.ApplyFeeTemplate(**ONE, template_name="Demo template"),
        NAMED | {"templateName": "Demo template"},
    ),
    "accountConfiguration": (
        ops.AccountConfiguration(**ONE, value=True),
        NAMED | {"type": "LiteExecution", "value": True},
    ),
    "duplicateAccount": (ops.DuplicateAccount(**ONE, number_of_duplicates=1), NAMED | {"numberOfDuplicates": 1}),
    "allocateVan": (
        ops.AllocateVan(**ONE, currency="USD", country_code="USA"),
        NAMED | {"currency": "USD", "countryCode": "USA"},
    ),
    "changeMarginType": (
        ops.ChangeMarginType(**ONE, new_margin="RegT", document_submission=submitted(paper(3024))),
        NAMED
        | {
            "newMargin": "RegT",
            "documentSubmission": NAMED | {"documents": [papers(3024)], "inputLanguage": "en", "translation": False},
        },
    ),
    "addTradingPermissions": (
        ops.AddTradingPermissions(**ONE, trading_permissions=(STOCKS,), option_level=2),
        NAMED | {"tradingPermissions": [{"country": "BELGIUM", "product": "STOCKS"}], "optionLevel": 2},
    ),
    "removeTradingPermissions": (
        ops.RemoveTradingPermissions(**ONE, trading_permissions=(TradingPermission(exchange_group="US-Sec"),)),
        NAMED | {"tradingPermissions": [{"exchangeGroup": "US-Sec"}]},
    ),
    "addCLPCapability": (
        ops.AddClpCapability(**ONE, documents=(paper(4155),)),
        NAMED | {"documents": [papers(4155)]},
    ),
    "accreditedInvestor": (
        ops.AccreditedInvestor(
            **ONE,
            status=True,
            signed_by=("Ada Q Examplewright",),
            qualified_purchaser=ops.QualifiedPurchaser(
                status=True,
                qualified_purchaser_details=(
                    {"code": "InvestmentCompanyAct", "status": True},
                    {"code": "DiscretionaryBasis", "status": False},
                ),
            ),
            eligible_contract_participant=ops.EligibleContractParticipant(
                status=True, eligible_contract_participant_details=({"code": "DiscretionaryBasis", "status": True},)
            ),
        ),
        NAMED
        | {
            "status": True,
            "signedBy": ["Ada Q Examplewright"],
            "qualifiedPurchaser": {
                "status": True,
                "qualifiedPurchaserDetails": [
                    {"code": "InvestmentCompanyAct", "status": True},
                    {"code": "DiscretionaryBasis", "status": False},
                ],
            },
            "eligibleContractParticipant": {
                "status": True,
                "eligibleContractParticipantDetails": [{"code": "DiscretionaryBasis", "status": True}],
            },
        },
    ),
    "changeFinancialInformation": (
        ops.ChangeFinancialInformation(**ONE, new_financial_information=FINANCES),
        NAMED
        | {
            "newFinancialInformation": {
                "netWorth": 500000,
                "liquidNetWorth": 200000,
                "annualNetIncome": 95000,
                "investmentObjectives": ["Growth", "Trading"],
                "investmentExperience": [
                    {"assetClass": "STK", "yearsTrading": 7, "tradesPerYear": 20, "knowledgeLevel": "Extensive"}
                ],
                "sourcesOfWealth": [{"sourceType": "SOW-IND-Income", "percentage": 100, "usedForFunds": True}],
                "translated": False,
            }
        },
    ),
    "changeAccountHolderDetail": (
        ops.ChangeAccountHolderDetail(
            **ONE,
            new_account_holder_details=(
                HolderDetails(external_id="demo-1002-AH", marital_status="M", num_dependents=1),
            ),
        ),
        NAMED
        | {
            "newAccountHolderDetails": [{"externalId": "demo-1002-AH", "maritalStatus": "M", "numDependents": 1}],
            "inputLanguage": "en",
            "translation": False,
        },
    ),
    "updateCredentials": (
        ops.UpdateCredentials(
            reference_user_name="adaex001", update_email=ops.NewEmail(email="ada.new@example.com", token="T-1")
        ),
        [
            {
                "referenceUserName": "adaex001",
                "updateEmail": {"email": "ada.new@example.com", "access": True, "token": "T-1"},
            }
        ],
    ),
    "updateTaxForm": (
        ops.UpdateTaxForm(
            **ONE, entity_id="100001", external_id="demo-1003-AH", w8_ben=W8, documents=(paper(5001),)
        ),
        NAMED
        | {
            "entityId": "100001",
            "externalId": "demo-1003-AH",
            "w8Ben": {
                "name": "Bruno Sampleton",
                "foreignTaxId": "12345678Z",
                "part29ACountry": "ESP",
                "cert": True,
                "blankForm": True,
                "taxFormFile": "Form5001.pdf",
                "proprietaryFormNumber": 5001,
            },
            "documents": [papers(5001)],
            "inputLanguage": "en",
            "translation": False,
        },
    ),
    "updateWithholdingStatement": (
        ops.UpdateWithholdingStatement(
            **ONE, effective_date=TODAY, treaty_country="GBR", fatca_compliant_type="FATCA_COMPLIANT", cert_w8_imy=True,
            us_income_tax=False,
        ),
        NAMED
        | {
            "effectiveDate": "2026-11-24",
            "treatyCountry": "GBR",
            "fatcaCompliantType": "FATCA_COMPLIANT",
            "certW8Imy": True,
            "usIncomeTax": False,
        },
    ),
    "addMiFirData": (
        ops.AddMiFirData(
            **ONE,
            title="ACCOUNT HOLDER",
            identifications=(
                Identification(
                    citizenship="ESP", passport="XX0000000", issuing_country="ESP", expire=True,
                    expiration_date=date(2031, 5, 31),
                ),
            ),
        ),
        NAMED
        | {
            "title": "ACCOUNT HOLDER",
            "identifications": [
                {
                    "citizenship": "ESP",
                    "passport": "XX0000000",
                    "issuingCountry": "ESP",
                    "expire": True,
                    "expirationDate": "2031-05-31",
                }
            ],
        },
    ),
    "manageMarketDataSubscriptions": (
        ops.ManageMarketDataSubscriptions(
            reference_user_name="adaex001", service=(ops.MarketDataService(value=460, action="ADD"),)
        ),
        {"referenceUserName": "adaex001", "service": [{"value": 460, "action": "ADD"}]},
    ),
    "updateAccountRepresentatives": (
        ops.UpdateAccountRepresentatives(
            **ONE,
            representative_details=(
                ops.Representative(representative_id="repone1", percentage=60),
                ops.Representative(representative_id="reptwo2", percentage=40),
            ),
        ),
        NAMED
        | {
            "representativeDetails": [
                {"representativeId": "repone1", "percentage": 60},
                {"representativeId": "reptwo2", "percentage": 40},
            ]
        },
    ),
    "updateUserAccessRights": (
        ops.UpdateUserAccessRights(sub_accounts=("U0000001",), rep_id="repone1", action="ADD"),
        {"subAccounts": ["U0000001"], "repId": "repone1", "action": "ADD"},
    ),
    "updateBcan": (
        ops.UpdateBcan(**ONE, bcan="1001", ce_number="DEM001"),
        NAMED | {"bcan": "1001", "ceNumber": "DEM001"},
    ),
    "documentSubmission": (
        submitted(paper(8002, proof_of_address_type="Bank Statement")),
        NAMED
        | {
            "documents": [papers(8002, proofOfAddressType="Bank Statement")],
            "inputLanguage": "en",
            "translation": False,
        },
    ),
    "processDocuments": (
        ProcessDocuments(documents=(paper(3024), paper(4016))),
        {"documents": [papers(3024), papers(4016)], "inputLanguage": "en", "translation": False},
    ),
    "questionnaires": (
        ops.Questionnaires(
            **ONE,
            questionnaire=(
                AnsweredForm(form_number=9943, answers=(GivenAnswer(question_id=1, id=1, detail="Demo answer"),)),
            ),
        ),
        NAMED
        | {
            "questionnaire": [
                {"formNumber": 9943, "answers": [{"questionId": 1, "id": 1, "detail": "Demo answer"}]}
            ]
        },
    ),
    "quizQuestionnaires": (
        ops.QuizQuestionnaires(
            **ONE,
            questionnaire=(AnsweredForm(form_number=2430, answers=(GivenAnswer(question_id=1, id=1),)),),
            task=(QuizTask(form_number=2431, status=False),),
        ),
        NAMED
        | {
            "questionnaire": [{"formNumber": 2430, "answers": [{"questionId": 1, "id": 1}]}],
            "task": [{"formNumber": 2431, "status": False}],
        },
    ),
    "prohibitedCountryQuestionnaire": (
        ops.ProhibitedCountryQuestionnaire(
            **ONE,
            external_id="demo-1002-AH",
            entity_id="100001",
            prohibited_questionnaire_details=(
                ProhibitedCountryAnswer(code="BIRTH", status=True, details="Demo explanation"),
                ProhibitedCountryAnswer(code="PASSPORT", status=False),
            ),
        ),
        NAMED
        | {
            "externalId": "demo-1002-AH",
            "entityId": "100001",
            "prohibitedQuestionnaireDetails": [
                {"code": "BIRTH", "status": True, "details": "Demo explanation"},
                {"code": "PASSPORT", "status": False},
            ],
        },
    ),
    "completeLoginMessage": (
        ops.CompleteLoginMessage(**ONE, login_message_ids=(1,)),
        NAMED | {"loginMessageIds": [1]},
    ),
    "securityQuestions": (
        ops.SecurityQuestions(
            reference_user_name="adaex001", details=(ops.SecurityAnswer(question="Demo question", answer="Demo answer"),)
        ),
        {
            "referenceUserName": "adaex001",
            "details": [{"question": "Demo question", "answer": "Demo answer"}],
            "inputLanguage": "en",
        },
    ),
    "addNewUser": (
        ops.AddNewUser(
            **ONE,
            prefix="adaex",
            user_details=UserPerson(
                external_id="demo-9",
                name=PersonName(first="Ada", last="Examplewright"),
                title=(Title(code="TRADER"),),
                authorized_trader=True,
            ),
        ),
        NAMED
        | {
            "prefix": "adaex",
            "userDetails": {
                "externalId": "demo-9",
                "name": {"first": "Ada", "last": "Examplewright"},
                "title": [{"code": "TRADER"}],
                "authorizedTrader": True,
            },
            "inputLanguage": "en",
            "translation": False,
        },
    ),
    "createUser": (
        ops.CreateUser(**ONE, prefix="adaex", id="100001", authorized_trader=False),
        NAMED | {"prefix": "adaex", "id": "100001", "authorizedTrader": False},
    ),
    "addAdditionalAccount": (
        ops.AddAdditionalAccount(
            **ONE,
            customer=ops.ExistingCustomer(external_id="demo-1002"),
            account=NewAccount(external_id="demo-1002-AC2", base_currency="EUR", fees_template_name="Standard"),
            documents=(paper(5001),),
        ),
        NAMED
        | {
            "customer": {"externalId": "demo-1002"},
            "account": {
                "externalId": "demo-1002-AC2",
                "baseCurrency": "EUR",
                "multiCurrency": True,
                "tradingPermissions": [{"exchangeGroup": "US-Sec"}],
                "feesTemplateName": "Standard",
            },
            "documents": [papers(5001)],
        },
    ),
    "informationChange": (
        ops.InformationChange(
            ib_account_id="U0000001",
            add_entities=(
                ops.AddEntity(
                    add_relationships=(ops.Relationship(name="Director", ownership_percentage=25),),
                    individual=PersonDetails(external_id="demo-11", name=PersonName(first="Dora", last="Director")),
                    documents=(paper(8001, proof_of_identity_type="National ID Card"),),
                ),
            ),
            update_entities=(
                ops.UpdateEntity(
                    ib_entity_id=100002,
                    legal_entity=ops.LegalEntity(
                        name="Sample Holdings",
                        tax_residencies=(EntityTaxResidency(country="USA", tin="000000000", tin_type="EIN"),),
                    ),
                ),
            ),
            delete_entities=(ops.DeleteEntity(ib_entity_id=100003),),
        ),
        {
            "ibAccountId": "U0000001",
            "addEntities": [
                {
                    "addRelationships": [{"name": "Director", "ownershipPercentage": 25}],
                    "individual": {"externalId": "demo-11", "name": {"first": "Dora", "last": "Director"}},
                    "documents": [papers(8001, proofOfIdentityType="National ID Card")],
                }
            ],
            "updateEntities": [
                {
                    "ibEntityId": 100002,
                    "legalEntity": {
                        "name": "Sample Holdings",
                        "taxResidencies": [{"country": "USA", "tin": "000000000", "tinType": "EIN"}],
                    },
                }
            ],
            "deleteEntities": [{"ibEntityId": 100003}],
        },
    ),
}  # fmt: skip
