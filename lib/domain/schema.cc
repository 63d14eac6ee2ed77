#include "domain/schema.hh"

#include "domain/migrations/m0001_first.hh"
#include "domain/migrations/m0002_attempts.hh"
#include "domain/migrations/m0003_gateway.hh"
#include "domain/migrations/m0004_capabilities.hh"
#include "domain/migrations/m0005_users.hh"
#include "domain/migrations/m0006_approvals.hh"
#include "domain/migrations/m0007_batch_jobs.hh"
#include "domain/migrations/m0008_ledger.hh"
#include "domain/migrations/m0009_builds.hh"
#include "domain/migrations/m0010_estimates.hh"
#include "domain/migrations/m0011_direct_calls.hh"
#include "domain/migrations/m0012_approval_notices.hh"
#include "domain/migrations/m0013_phase_counts.hh"
#include "domain/migrations/m0014_usage_sums.hh"
#include "domain/migrations/m0015_plan_last.hh"

namespace ap {

namespace {

// In rising order; each step's SQL is in a file of its own.
constexpr Migration all_migrations[] = {
    {1, "first schema", migrations_sql::first_schema},
    {2, "attempts: usage spool, executor index", migrations_sql::attempts},
    {3, "gateway", migrations_sql::gateway},
    {4, "capabilities", migrations_sql::capabilities},
    {5, "users, tokens, sums of usage", migrations_sql::users},
    {6, "approvals", migrations_sql::approvals},
    {7, "batch jobs", migrations_sql::batch_jobs},
    {8, "ledger", migrations_sql::ledger},
    {9, "builds", migrations_sql::builds},
    {10, "estimates of usage", migrations_sql::estimates},
    {11, "direct calls", migrations_sql::direct_calls},
    {12, "approval notices", migrations_sql::approval_notices},
    {13, "phase counts of runs", migrations_sql::phase_counts},
    {14, "sums of many calls", migrations_sql::usage_sums},
    {15, "plans behind what is listed", migrations_sql::plan_last},
};

} // namespace

std::span<const Migration> migrations()
{
    return all_migrations;
}

} // namespace ap
