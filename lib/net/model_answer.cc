#include "net/model_answer.hh"

#include "base/text.hh"
#include "domain/answer_text.hh"
#include "sys/path.hh"
#include "wrap/sha256.hh"

#include <thread>

namespace ap {

namespace {

constexpr size_t largest_piece = size_t{64} << 20;

// What makes two prompts the same, whatever the model.
std::string mark_of(const LlmPrompt &prompt)
{
    Sha256Stream hash;
    const auto add = [&](std::string_view text) {
        hash.add(std::to_string(text.size()) + ":");
        hash.add(text);
    };
    add(prompt.system);
    add(prompt.text);
    for (const LlmTurn &turn : prompt.turns) {
        add(turn.answer);
        add(turn.reply);
    }
    return to_hex(hash.finish());
}

struct Piece
{
    std::string text;
    std::string model;
    std::string stop_reason;
    int64_t tokens = 0;
};

std::optional<Piece> kept_piece(const std::string &path, const std::string &mark)
{
    if (path.empty() || !path_exists(path)) {
        return std::nullopt;
    }
    const auto json = Json::try_parse(read_file(path, largest_piece));
    if (!json || json->get_string("prompt_sha256") != mark) {
        return std::nullopt;
    }
    return Piece{json->get_string("text").value_or(""),
                 json->get_string("model").value_or(""),
                 json->get_string("stop_reason").value_or(""),
                 json->get_integer("tokens").value_or(0)};
}

void keep_piece(const std::string &path, const std::string &mark, const Piece &piece)
{
    if (path.empty()) {
        return;
    }
    Json json = Json::object();
    json.set("model", piece.model)
        .set("stop_reason", piece.stop_reason)
        .set("tokens", piece.tokens)
        .set("prompt_sha256", mark)
        .set("text", piece.text);
    write_file_atomically(path, json.dump_pretty(), 0600);
}

bool may_pass(ExitStatus status)
{
    return status == ExitStatus::TryAgain || status == ExitStatus::Unavailable;
}

Piece ask_piece(Questioner &questioner, const LlmPrompt &prompt, const AnswerOrder &order)
{
    auto wait = order.first_wait;
    for (int tries = 1;; tries++) {
        Piece piece;
        LlmResult result;
        questioner.ask(
            prompt, [&](std::string_view text) { piece.text += text; }, result);
        if (!result.failure) {
            const Usage &usage = result.usage.usage;
            piece.model = result.model;
            piece.stop_reason = result.stop_reason;
            piece.tokens = usage.prompt_tokens + usage.completion_tokens;
            return piece;
        }
        const std::string trouble =
            questioner.provider_of(prompt.model) + ": " + result.failure->message;
        if (tries >= order.most_tries || !may_pass(result.failure->status)) {
            throw Error(result.failure->status, trouble);
        }
        if (order.tell) {
            order.tell(trouble + "; asking again in " + format_duration(wait));
        }
        std::this_thread::sleep_for(wait);
        wait *= 2;
    }
}

} // namespace

ModelAnswer ask_model(Questioner &questioner, const AnswerOrder &order)
{
    ModelAnswer answer;
    LlmPrompt prompt = order.prompt;
    do {
        const std::string mark = mark_of(prompt);
        const std::string path =
            order.kept_in.empty()
                ? std::string()
                : join_path(order.kept_in, order.name + "-" +
                                               std::to_string(answer.pieces + 1) +
                                               ".json");
        std::optional<Piece> piece = kept_piece(path, mark);
        if (!piece) {
            piece = ask_piece(questioner, prompt, order);
            keep_piece(path, mark, *piece);
            answer.asked++;
        }
        answer.pieces++;
        answer.model = piece->model;
        answer.tokens += piece->tokens;
        answer.text = join_answer(std::move(answer.text), piece->text);
        answer.truncated = is_truncated(piece->stop_reason);
        prompt.turns = order.prompt.turns;
        prompt.turns.push_back({answer.text, std::string(continue_request)});
    } while (answer.truncated && answer.pieces < order.most_pieces);
    return answer;
}

} // namespace ap
