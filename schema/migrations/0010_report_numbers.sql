-- A report's number belongs to the key that said it, as a thief's would else silence the honest host that is enrolled after him. `n` is the control plane's own order.
ALTER TABLE report ADD COLUMN enrolment TEXT;
-- The host's own count under that key.
ALTER TABLE report ADD COLUMN number INTEGER;
-- Numbers that no host reaches by counting are no order: what bore them had kept out every later report.
DELETE FROM report WHERE n > 4503599627370496;
-- What was said before the present key came was said by another one.
UPDATE report SET number = n, enrolment = (SELECT i.enrolment FROM identity i WHERE i.host = report.host AND i.enrolled_at <= report.received_at);
CREATE UNIQUE INDEX report_number ON report (host, enrolment, number);
