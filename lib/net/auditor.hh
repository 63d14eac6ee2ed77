#pragma once

#include "domain/audit.hh"
#include "domain/model_table.hh"
#include "net/model_answer.hh"

#include <functional>
#include <string>

namespace ap {

/// The tokens that audits of the phase may use: the cap of the type audit, over all its
/// attempts. `phase_id` empty: of the run.
AuditAccount audit_account(const StatePaths &paths, const std::string &run_id,
                           const std::string &phase_id);

/// How an audit is made.
struct AuditOrder
{
    AuditMatter matter;
    ModelChoice model;
    std::string kept_in{};                           ///< as in AnswerOrder
    std::function<void(const std::string &)> tell{}; ///< as in AnswerOrder
};

/// An audit with what it cost.
struct AuditResult
{
    Audit audit;
    std::string model;
    int64_t tokens = 0;
};

/// Has a model judge the matter. An answer that cannot be read is asked for once more;
/// then it counts as major. With `account`, what is used is added to it, and
/// Error(BudgetExhausted) is thrown before a call for which too little is left.
AuditResult make_audit(Questioner &questioner, const AuditOrder &order,
                       const AuditAccount *account);

} // namespace ap
