-- Grows with every change to what a snapshot shows, so that publishing an unchanged warehouse is skipped.
CREATE SEQUENCE revision START 1;
