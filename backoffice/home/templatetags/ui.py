"""The parts every page is made of. A builtin of the template engine: pages need no {% load %}.

FIGURES (Decimal or int in; None is "not known"; a float is refused)
    {% money amount "USD" %} {% money transfer.money %}   USD 48,500.00. whole=True drops decimals; short=True shortens on a
                                                          narrow screen; plus=True signs and colours; size="figure"|"main"
    {% amount value "USD" %}                   1,164,183.96, for columns whose head carries the currency; a minus is red
    {% change value "USD" %}                   +1,804.52 green, −14,210.11 red, 0.00 grey
    {% quantity value %}                       2,940 or 12.0375; plus=True signs it
    {% price value %} {% price value tick %}   231.4175; tick is Decimal("0.01")
    {% percent value %}                        7.28% (7.28 means 7.28%); places=2 plus=True
    {% points value %}                         −0.22 pp
    {% side "BUY" %}                           Buy or Sell, coloured
    {{ n|plural:"account,accounts" }}          4 accounts

TIME
    {% moment when %}                          10:41, 23 Nov 14:10, 4 Mar 2022 09:00; ET on hover; seconds=True
    {% day date %}                             23 Nov
    {% stamp when kind="position" %}           filled dot 10:41:52. kind: quote, whatif, position, status (or stale_after=seconds);
                                               coverage="212 of 214" complete=False source="IBKR" prefix="Polled" note="";
                                               a date, or closed=True, is "Close of 23 Nov"; None is "never read"
    {% clock_chip until words="Cut-off in" %}  counts down, then "1 d 4 h over"; total=seconds, over="over", icon="hourglass";
                                               without words: "42 s left"
    {% age_chip since words="Unknown" tone="unknown" %}   Unknown 11 min, counts up
    {% chip "Due today" tone="wait" icon="clock" %}       fixed words
    {% ring elapsed_seconds target_seconds %}  SLA ring and the time in words

STATUS AND IDENTITY
    {% badge "wait" "Needs reply" "message-question" raw="PENDING" %}   tones: neutral info wait good bad unknown accent
    {% count 4 tone="wait" %}                  the small number beside a heading
    {% seal payload_sha256 %}                  ten bars and the digits in fours; digits=12
    {% person user %}                          initials in a circle; named=True writes the name too; None is a dash
    {% account "U1000044" %}                   mono; copy=True adds a copy button
    {% masked "4417" url label="Tax number" %} last four and an eye that POSTs to url; answer with components/revealed.html
    {% records "client" client.pk %}           buttons: evidence pack, and who saw this person, for whoever may
    {% icon "clock" %} {% icon "clock" 20 label="Late" %}   inline SVG; names in static/icons.txt

BARS
    {% bar value total %}                      tone="accent|good|wait|bad|unknown|info|quiet" failed=3 tick=80 label="Budget used"
    {% shares_bar shares %}                    divided bar with its legend; a list of parts.Share
    {% allocation_bar before after target %}   per cent; scale=maximum
    {% line_chart values %}                    list of Decimal, oldest first; against=list for a dashed second; label="..."

IBKR'S WORDS (always escaped)
    {% ibkr_words text %}                      serif block with the grey rule; large=True in a question; source="..." under it
    {% ibkr_quote text %}                      serif in quotation marks, inside a sentence

BLOCKS
    {% panel "Account cash" fact="F1000001" count=9 %} ... {% endpanel %}
        body=False when the content brings its own padding (tables); id="" css="" level=2;
        head goes to the right of the title: {% stamp when as head %}{% panel "Cash" head=head %}
    {% note "wait" "48 of 50 accounts answered." %} ... {% endnote %}
        tones info wait bad good unknown neutral; words= what IBKR said; alert=True; icon=""
    {% dialog "answer" "IBKR asks before it takes this order" %} ... {% enddialog %}
        id, title, fact="" icon="" tone="" open=True. Inside: div.bo-dialog__body, div.bo-dialog__foot. A button with
        data-bo-dialog="answer" opens it, data-bo-close closes it, data-bo-safe has the focus first
    {% locked "Send to principal" "Opens when three defects are mended." %}   a disabled action that can be read; id="" css=""

FORMS
    {% field form.amount %}    label, control, help, error. unit="USD" code="F" from_="from the client, 19 Nov" why="..." wide=True
    {% form_fields form %}     errors of the whole form, every field, hidden ones too; inside your <form class="bo-form">
    ValidationError("What is wrong.", params={"fix": "How to mend it.", "rule": "FIN-07"}) shows all three at the field.

INCLUDES, with their context
    components/timeline.html       events=[parts.TimelineEvent]
    components/stepper.html        steps=[parts.Step] label next        components/steps_column.html  steps label
    components/before_after.html   changes=[parts.Change] before="Now at IBKR" after="Will be sent" consequence
    components/pager.html          page=parts.Page shown=15 order="newest first" newer="Newer" older="Older" keys
    components/empty.html          title text icon action url
    components/filter_bar.html     views=[parts.View] filters=[parts.Filter] views_label
    components/checks.html         checks=[parts.Check]
    components/progress.html       done total failed words left detail
    components/definitions.html    facts=[(label, value)] numbers=True
    components/loading.html        text poll=url (asked after a second; answer with the next fragment)
    components/confirm_typed.html  expected label name unit; its button carries data-bo-typed-button aria-disabled="true"
    components/revealed.html       value seconds last4 url label
    components/form_errors.html    form

TABLES: <div class="bo-scroll"><table class="bo-table bo-table--stack" data-bo-keys><caption class="bo-hidden">.
    Cells: bo-num right, bo-name 600, bo-mono, bo-quiet, bo-fit. A row with data-href and tabindex="-1" opens on click and Enter;
    its checkbox is X; data-bo-filter marks the input "/" goes to. On a narrow screen each cell shows its data-label;
    td.bo-wide hides there. Row tones: bo-row--wait bo-row--unknown bo-row--off; a row under another is tr.bo-detail.
BUTTONS: bo-button, and --primary --danger --quiet --small --wide; a row of them: bo-buttons. Segments: bo-segments.
LAYOUT: bo-split (fluid + 304), --wide (372), --even, --three, --steps (206 fluid 300), --ticket (250 fluid 276); bo-stack; bo-row;
    bo-strip of bo-strip__cell (label, figure); bo-object (head of one client or order); bo-tabs; bo-board of bo-lane of bo-card;
    bo-decide keeps the decision at the bottom of a narrow screen. Live parts: data-bo-live="url" data-bo-every="15" data-bo-mark.
"""

from django import template

from backoffice.home import formats
from backoffice.home.tags import blocks, figures, marks, records, times

register = template.Library()

for _tag in (
    *(figures.money, figures.amount, figures.change, figures.quantity, figures.price, figures.percent, figures.points),
    *(times.moment, times.day, times.stamp, times.chip, times.clock_chip, times.age_chip, times.ring),
    *(marks.icon, marks.badge, marks.count, marks.seal, marks.person, marks.account, marks.masked, marks.side),
    *(marks.bar, marks.shares_bar, marks.allocation_bar, marks.line_chart, marks.ibkr_words, marks.ibkr_quote),
    *(blocks.locked, blocks.field, blocks.form_fields),
):
    register.simple_tag(_tag)
register.simple_tag(records.records, takes_context=True)

for _block in (blocks.panel, blocks.note, blocks.dialog):
    register.simple_block_tag(_block)

register.filter(figures.plural)
register.filter(formats.in_sentence)
register.filter(marks.worst)
