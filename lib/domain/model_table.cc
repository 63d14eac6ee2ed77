#include "domain/model_table.hh"

#include "base/text.hh"
#include "domain/budget.hh"
#include "domain/build_spec.hh"
#include "sys/path.hh"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace ap {

namespace {

constexpr size_t largest_table = 1 << 20;
constexpr auto roles = std::to_array<std::string_view>({"builder", "auditor", "planner"});
constexpr auto members_of_row = std::to_array<std::string_view>(
    {"category", "complexity", "models", "max_output", "context_tokens"});

[[noreturn]] void refuse(const std::string &place, const std::string &expected,
                         const Json &got)
{
    throw Error(ExitStatus::Config,
                place + ": expected " + expected + ", got " +
                    (got ? printable(got.dump(), 60) : std::string("nothing")));
}

int64_t read_tokens(const Json &row, std::string_view member, const std::string &place)
{
    const int64_t tokens = row.get_integer(member).value_or(0);
    if (tokens < 1 || tokens > largest_amount) {
        refuse(place + "/" + std::string(member), "a number of tokens from 1",
               row.get(member));
    }
    return tokens;
}

std::vector<std::string> read_models(const Json &json, const std::string &place)
{
    std::vector<std::string> models;
    for (size_t i = 0; i < json.size(); i++) {
        if (!json.at(i).is_string() || json.at(i).as_string().empty()) {
            refuse(place + "/" + std::to_string(i), "the name of a model", json.at(i));
        }
        models.push_back(json.at(i).as_string());
    }
    if (!json.is_array() || models.empty()) {
        refuse(place, "an array of models", json);
    }
    return models;
}

} // namespace

ModelTable::Row ModelTable::read_row(const Json &json, const std::string &place)
{
    if (!json.is_object()) {
        refuse(place, "an object", json);
    }
    for (const std::string &member : json.keys()) {
        if (std::find(members_of_row.begin(), members_of_row.end(), member) ==
            members_of_row.end()) {
            throw Error(ExitStatus::Config,
                        place + ": unknown member '" + printable(member) + "'");
        }
    }
    Row row;
    if (const Json category = json.get("category")) {
        if (!category.is_string() || !is_identifier(category.as_string())) {
            refuse(place + "/category", "an id", category);
        }
        row.category = category.as_string();
    }
    if (const Json complexity = json.get("complexity")) {
        row.complexity = complexity_from(json.get_string("complexity").value_or(""));
        if (!row.complexity) {
            refuse(place + "/complexity", "low, medium or high", complexity);
        }
    }
    row.models = read_models(json.get("models"), place + "/models");
    row.max_output = read_tokens(json, "max_output", place);
    if (json.get("context_tokens")) {
        row.context_tokens = read_tokens(json, "context_tokens", place);
    }
    return row;
}

ModelTable ModelTable::from_json(const Json &json, const std::string &source)
{
    if (!json.is_object()) {
        refuse(source, "an object", json);
    }
    for (const std::string &member : json.keys()) {
        if (member != "about" &&
            std::find(roles.begin(), roles.end(), member) == roles.end()) {
            throw Error(ExitStatus::Config,
                        source + ": unknown member '" + printable(member) + "'");
        }
    }
    ModelTable table;
    table.source_ = source;
    for (size_t role = 0; role < roles.size(); role++) {
        const std::string place = source + ": /" + std::string(roles.at(role));
        const Json rows = json.get(roles.at(role));
        if (!rows.is_array()) {
            refuse(place, "an array", rows);
        }
        std::vector<Row> &read = table.rows_[static_cast<ModelRole>(role)];
        for (size_t i = 0; i < rows.size(); i++) {
            read.push_back(read_row(rows.at(i), place + "/" + std::to_string(i)));
        }
    }
    return table;
}

ModelTable ModelTable::load(const std::optional<std::string> &path)
{
    const char *configured = std::getenv("AUTOPACK_MODELS");
    const std::string installed = AP_DATADIR "/models.json";
    const std::string file = path                    ? *path
                             : configured != nullptr ? configured
                                                     : installed;
    if (file == installed && !path_exists(file)) {
        throw Error(ExitStatus::Config,
                    "no models: expected '" + file +
                        "', or a file named by AUTOPACK_MODELS or --models");
    }
    Json json;
    try {
        json = Json::parse(read_file(file, largest_table), file);
    } catch (const Error &error) {
        throw Error(ExitStatus::Config, error.what());
    }
    return from_json(json, file);
}

ModelChoice ModelTable::choose(ModelRole role, std::string_view category,
                               Complexity complexity, int64_t level) const
{
    const Row *best = nullptr;
    int best_score = -1;
    for (const Row &row : rows_.at(role)) {
        if ((row.category && *row.category != category) ||
            (row.complexity && *row.complexity != complexity)) {
            continue;
        }
        const int score = (row.category ? 2 : 0) + (row.complexity ? 1 : 0);
        if (score > best_score) {
            best = &row;
            best_score = score;
        }
    }
    if (best == nullptr) {
        throw Error(
            ExitStatus::Config,
            source_ + ": no row of /" + std::string(roles.at(static_cast<size_t>(role))) +
                " fits category '" + std::string(category) + "' and complexity '" +
                std::string(complexity_name(complexity)) + "'");
    }
    const auto last = static_cast<int64_t>(best->models.size()) - 1;
    const int64_t index = std::clamp<int64_t>(level, 0, last);
    return {best->models.at(static_cast<size_t>(index)), best->max_output,
            best->context_tokens, index == last};
}

} // namespace ap
