#pragma once

#include "domain/model_table.hh"
#include "domain/plan_writer.hh"
#include "net/model_answer.hh"

#include <string>

namespace ap {

/// Has a model write a plan. One that is refused goes back to it once with the reasons;
/// if it is refused again the reasons are thrown: PlanError, or Error(BadData) for an
/// answer without any plan. Nothing of the plan is executed.
Json write_plan(Questioner &questioner, const PlanMatter &matter,
                const ModelChoice &model);

} // namespace ap
