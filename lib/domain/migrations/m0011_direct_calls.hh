#pragma once

#include <string_view>

namespace ap::migrations_sql {

// What a call that is made without a gateway needs to be settled after its process was
// killed. Without a start time a reservation belongs to nobody but its settling. One that
// was open for an attempt belonged to a process all the same: to one that is not known to
// live.
inline constexpr std::string_view direct_calls = R"sql(
ALTER TABLE budget_reservations ADD COLUMN pid_started INTEGER;
ALTER TABLE budget_reservations ADD COLUMN boot_id TEXT;
ALTER TABLE budget_reservations ADD COLUMN provider TEXT NOT NULL DEFAULT '';
ALTER TABLE budget_reservations ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE budget_reservations ADD COLUMN
    input_tokens INTEGER CHECK (input_tokens BETWEEN 0 AND tokens);
UPDATE budget_reservations SET pid_started = 0, boot_id = ''
WHERE status = 'OPEN' AND attempt IS NOT NULL AND gateway_id IS NULL;
)sql";

} // namespace ap::migrations_sql
