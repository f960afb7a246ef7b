-- One row. number grows with every change to what a snapshot shows, in the transaction of that change (a sequence
-- would not roll back); warehouse tells apart two warehouses at the same number; version is the release that is shown.
CREATE TABLE revision AS SELECT 0::BIGINT AS number, uuid()::TEXT AS warehouse, NULL::TEXT AS version;
