"""What may be done with portfolios, groups and orders. The only writers of this app's rows; no network.

`tickets` draws up, previews and sends an order; `orders` takes it back, cancels it, answers IBKR's questions;
`progress` writes what IBKR says about orders; `groups` and `portfolio` write what IBKR shows, and what we want changed;
`forgetting` empties what may name a client whose data is destroyed.
"""
