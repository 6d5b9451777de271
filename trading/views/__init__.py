"""The pages: portfolio, instruments, groups, the order ticket, the blotter. They read and write rows; workers ask IBKR."""
