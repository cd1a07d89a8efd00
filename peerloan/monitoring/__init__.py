"""The monitor's report for people, as text for a terminal and as a page; and the options that its commands share."""
