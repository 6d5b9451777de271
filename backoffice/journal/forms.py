"""The release of what is proven absent."""

from django import forms


class ReleaseForm(forms.Form):
    """One of two people's word that nothing exists at IBKR; the second person's word sends it again."""

    evidence = forms.CharField(
        label="What makes you sure",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="For example IBKR's ticket number, and who said what when.",
    )
