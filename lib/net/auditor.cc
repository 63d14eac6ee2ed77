#include "net/auditor.hh"

#include "domain/config.hh"
#include "sys/path.hh"

#include <algorithm>

namespace ap {

namespace {

// About how many bytes of a prompt make a token, on the safe side of what is usual.
constexpr int64_t bytes_per_token = 3;

int64_t size_of(const LlmPrompt &prompt)
{
    size_t bytes = prompt.system.size() + prompt.text.size();
    for (const LlmTurn &turn : prompt.turns) {
        bytes += turn.answer.size() + turn.reply.size();
    }
    return static_cast<int64_t>(bytes) / bytes_per_token;
}

void limit_to(const AuditAccount &account, LlmPrompt &prompt)
{
    const int64_t output = account.left() - size_of(prompt);
    if (output < least_output) {
        throw Error(ExitStatus::BudgetExhausted,
                    "audits of the phase have " + std::to_string(account.left()) +
                        " of " + std::to_string(account.cap()) +
                        " tokens left, which is too little for one more");
    }
    prompt.max_tokens = std::min(prompt.max_tokens.value_or(output), output);
}

} // namespace

AuditAccount audit_account(const StatePaths &paths, const std::string &run_id,
                           const std::string &phase_id)
{
    const std::string run = paths.run_directory(run_id);
    return {join_path(phase_id.empty() ? run : join_path(run, "phases/" + phase_id),
                      "audit.jsonl"),
            load_config(paths).token_caps.phase_cap("audit")};
}

AuditResult make_audit(Questioner &questioner, const AuditOrder &order,
                       const AuditAccount *account)
{
    AuditResult result;
    AnswerOrder answer_order{.prompt = {}, .kept_in = order.kept_in, .name = "audit"};
    answer_order.tell = order.tell;
    LlmPrompt &prompt = answer_order.prompt;
    prompt.model = order.model.model;
    prompt.system = audit_instructions;
    prompt.text = audit_prompt(order.matter);
    std::string why;
    for (int tries = 1; tries <= 2; tries++) {
        prompt.max_tokens = order.model.max_output;
        if (account != nullptr) {
            limit_to(*account, prompt);
        }
        const ModelAnswer answer = ask_model(questioner, answer_order);
        result.tokens += answer.tokens;
        result.model = answer.model;
        if (account != nullptr && answer.asked > 0) {
            account->add(answer.tokens, answer.model);
        }
        if (auto audit = read_audit(answer.text, why)) {
            result.audit = std::move(*audit);
            return result;
        }
        prompt.turns.push_back({answer.text, audit_repair(why)});
        answer_order.name = "audit-again";
    }
    result.audit = malformed_audit(why);
    return result;
}

} // namespace ap
