#include "net/planner.hh"

namespace ap {

Json write_plan(Questioner &questioner, const PlanMatter &matter,
                const ModelChoice &model)
{
    AnswerOrder order{.prompt = {}};
    order.prompt.model = model.model;
    order.prompt.max_tokens = model.max_output;
    order.prompt.system = planner_instructions;
    order.prompt.text = planner_prompt(matter);
    const ModelAnswer answer = ask_model(questioner, order);
    try {
        return read_written_plan(answer.text, matter);
    } catch (const Error &error) {
        if (error.status() != ExitStatus::BadData) {
            throw;
        }
        order.prompt.turns.push_back({answer.text, planner_repair(error.what())});
    }
    return read_written_plan(ask_model(questioner, order).text, matter);
}

} // namespace ap
