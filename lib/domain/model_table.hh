#pragma once

#include "domain/plan.hh"
#include "wrap/json.hh"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ap {

/// What a model is asked for.
enum class ModelRole { Builder, Auditor, Planner };

/// How much models are shown of a repository if neither plan nor table says: tokens, see
/// token_bound().
inline constexpr int64_t usual_context = 64'000;

/// Which model is asked, and for how much.
struct ModelChoice
{
    std::string model;                      ///< as ap-llm(1) takes it
    int64_t max_output = 0;                 ///< tokens of an answer
    int64_t context_tokens = usual_context; ///< the most that is shown of a repository
    bool strongest = false;                 ///< no level above gives another model
};

/// Which model does what, from an editable JSON file:
///
///     {"builder": [{"category": "docs", "complexity": "low",
///                   "models": ["small", "large"], "max_output": 8000,
///                   "context_tokens": 32000}],
///      "auditor": [...], "planner": [...]}
///
/// Of the rows that do not contradict a phase's category and complexity the most exact is
/// taken: one that names both, then one that names the category, then the complexity; the
/// first of equals. Its models are levels, the weakest first.
class ModelTable
{
public:
    /// Throws Error(Config) "`source`: /POINTER: expected ..., got ...".
    static ModelTable from_json(const Json &json, const std::string &source);

    /// Reads the file at `path`, else the one that AUTOPACK_MODELS names, else the one
    /// installed with the suite.
    static ModelTable load(const std::optional<std::string> &path);

    /// The model for `role` at `level` (0: the weakest; above the strongest: that one).
    /// Throws Error(Config) if no row fits.
    ModelChoice choose(ModelRole role, std::string_view category, Complexity complexity,
                       int64_t level) const;

private:
    struct Row
    {
        std::optional<std::string> category;
        std::optional<Complexity> complexity;
        std::vector<std::string> models;
        int64_t max_output = 0;
        int64_t context_tokens = usual_context;
    };
    static Row read_row(const Json &json, const std::string &place);

    std::string source_;
    std::map<ModelRole, std::vector<Row>> rows_;
};

} // namespace ap
