"""The vendor, read off its page a second time; imports nothing of the connector's core, config or observe.

`rules` judges a request as the vendor's page says, `faults` decides which bad day it has, `vendor` keeps both
with the ledger and says what to do, `server` does it on a socket.

What is not known of the real vendor, and how it is played here:

- The numbers and statuses of an invalid query parameter, an invalid URL, a body over 8K, a blocked request, a
  refused password and a refused certificate: answered without `code`, with the usual HTTP status.
- The numbers and statuses of 1000, 1010, 12001, 12002, 12003 and 12004 are those of a sister API's page.
- The wording after "Invalid JSON in the payload." is the page's description of the cause, not a seen answer.
- Which check comes first when a request has several faults: path, version, method, query, password, role, size,
  body.
- Whether `code` is a string or a number (`Page.numeric_codes`), whether 4096 characters are too many
  (`Page.longest_value`), whether digits may be in a key (`Page.digits_in_keys`).
- The complete reserved words and built-in variables: those seen in the vendor's pages (`answers`).
- Unknown members of the body are ignored, as are the sign of an operator id and a leading 0 of a phone number;
  a value may be a string or a number (the page's type and its example); true, false and null are refused.
- A key given twice in a scope and a scope without keys are refused; which cause the vendor names is a guess.
- A body that is not announced as `application/json` is refused as invalid JSON.
- Rate limits, 429, `Retry-After`, capacity, time-outs and latency: nothing is published, all of it is scenario.
- A request counts as accepted when it arrived, not when it was answered. Nothing is ever triggered: a
  well-formed service id that does not exist is accepted, as by the vendor.
"""
