#pragma once

#include "net/llm_question.hh"

#include <chrono>
#include <functional>
#include <string>

namespace ap {

/// What is asked, and where what is answered is kept.
struct AnswerOrder
{
    LlmPrompt prompt;
    /// Directory for the pieces of the answer, each a file `NAME-N.json` that is written
    /// when the piece is complete; empty: none are kept.
    std::string kept_in{};
    std::string name = "answer";
    int most_pieces = 4;                        ///< of an answer that is truncated
    int most_tries = 4;                         ///< of each piece
    std::chrono::milliseconds first_wait{1000}; ///< between tries, doubled each time
    /// Gets a line for each try that failed before it is made again; may be empty.
    std::function<void(const std::string &)> tell{};
};

/// A model's whole answer.
struct ModelAnswer
{
    std::string text;
    std::string model;      ///< as the provider names it
    int64_t tokens = 0;     ///< input and output of all pieces
    int pieces = 0;         ///< a kept one included
    int asked = 0;          ///< pieces that were asked for now
    bool truncated = false; ///< it goes beyond the last piece
};

/// Asks until the answer is whole: a truncated one is continued, a provider that is busy
/// or gone is asked again. Pieces that were kept for the very same prompt are not asked
/// for again, so that a process killed on the way pays for no answer twice. Throws
/// Error with the status of ap-llm(1) if there is no answer.
ModelAnswer ask_model(Questioner &questioner, const AnswerOrder &order);

} // namespace ap
