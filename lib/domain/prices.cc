#include "domain/prices.hh"

#include "base/error.hh"
#include "sys/path.hh"

#include <algorithm>
#include <cmath>

namespace ap {

namespace {

constexpr double micro = 1'000'000;
constexpr double dearest = 1'000'000; // dollars per million tokens
constexpr size_t largest_file = size_t{16} * 1024 * 1024;

// Where in the file a member is, for messages.
struct Place
{
    std::string_view source;
    std::string_view model;
};

[[noreturn]] void refuse(const Place &place, std::string_view member,
                         const std::string &expected, const Json &got)
{
    throw Error(ExitStatus::BadData,
                std::string(place.source) + ": model '" + std::string(place.model) +
                    "': " + std::string(member) + ": expected " + expected + ", got " +
                    (got.is_number() ? got.dump() : std::string(got.type_name())));
}

// Dollars as micro-dollars; `otherwise` if the member is missing.
int64_t price_member(const Json &json, std::string_view member, int64_t otherwise,
                     const Place &place)
{
    const Json value = json.get(member);
    if (!value) {
        return otherwise;
    }
    if (!value.is_number() || value.as_number() < 0 || value.as_number() > dearest) {
        refuse(place, member, "dollars per million tokens from 0 to 1000000", value);
    }
    return std::llround(value.as_number() * micro);
}

int64_t count_member(const Json &json, std::string_view member, const Place &place)
{
    const Json value = json.get(member);
    if (!value.is_integer() || value.as_integer() < 1 ||
        value.as_integer() > largest_amount) {
        refuse(place, member, "a whole number of tokens from 1", value);
    }
    return value.as_integer();
}

Price price_of(const Json &json, const Price *below, const Place &place)
{
    Price price;
    if (below == nullptr && !json.get("input")) {
        refuse(place, "input", "dollars per million tokens", Json());
    }
    price.input = price_member(json, "input", below == nullptr ? 0 : below->input, place);
    price.cached = price_member(json, "cached",
                                below == nullptr ? price.input : below->cached, place);
    price.cache_write = price_member(
        json, "cache_write", below == nullptr ? price.input : below->cache_write, place);
    price.cache_write_long = price_member(
        json, "cache_write_long",
        below == nullptr ? price.cache_write : below->cache_write_long, place);
    price.output =
        price_member(json, "output", below == nullptr ? 0 : below->output, place);
    return price;
}

ModelFacts facts_of(const Json &json, const Place &place)
{
    if (!json.is_object()) {
        refuse(place, "the model", "an object", json);
    }
    ModelFacts facts;
    facts.price = price_of(json, nullptr, place);
    facts.long_price = facts.price;
    if (json.get("max_output")) {
        facts.max_output = count_member(json, "max_output", place);
    }
    const Json above = json.get("above");
    if (above) {
        facts.long_input = count_member(above, "input_tokens", place);
        facts.long_price = price_of(above, &facts.price, place);
    }
    return facts;
}

// Tokens times a price are up to 10^24.
__extension__ using Wide = __int128;

// Micro-dollars, rounded up, of a sum of tokens times micro-dollars per million tokens.
int64_t rounded_up(Wide sum)
{
    const Wide cost = (sum + 999'999) / 1'000'000;
    return cost > largest_amount ? largest_amount : static_cast<int64_t>(cost);
}

// A name goes on behind a '-', ':' or '@'; behind a letter, digit or point it is another.
bool is_whole_part(std::string_view model, size_t length)
{
    return length == model.size() || model.substr(length).find_first_of("-:@") == 0;
}

int64_t bound_at(const Price &price, int64_t input_tokens, int64_t output_tokens)
{
    const int64_t input =
        std::max({price.input, price.cached, price.cache_write, price.cache_write_long});
    return rounded_up(static_cast<Wide>(input_tokens) * input +
                      static_cast<Wide>(output_tokens) * price.output);
}

} // namespace

const Price &ModelFacts::price_for(int64_t input_tokens) const noexcept
{
    return long_input > 0 && input_tokens > long_input ? long_price : price;
}

PriceList PriceList::from_json(const Json &json, std::string_view source)
{
    const Json models = json.get("models");
    if (!models.is_object()) {
        throw Error(ExitStatus::BadData, std::string(source) +
                                             ": models: expected an object, got " +
                                             std::string(models.type_name()));
    }
    PriceList list;
    for (const std::string &name : models.keys()) {
        list.models_.push_back({name, facts_of(models.get(name), {source, name})});
    }
    std::sort(list.models_.begin(), list.models_.end(),
              [](const Entry &a, const Entry &b) { return a.name < b.name; });
    return list;
}

PriceList PriceList::load(const std::string &path)
{
    return from_json(Json::parse(read_file(path, largest_file), path), path);
}

// Every prefix of the name sorts before it, the longest last: the one right before the
// name is either it or shares the start with it that is left to search.
const ModelFacts *PriceList::longest_prefix(std::string_view model) const noexcept
{
    std::string_view start = model;
    auto end = models_.end();
    while (true) {
        end = std::upper_bound(
            models_.begin(), end, start,
            [](std::string_view name, const Entry &entry) { return name < entry.name; });
        if (end == models_.begin()) {
            return nullptr;
        }
        const std::string_view before = (--end)->name;
        if (start.starts_with(before) && is_whole_part(model, before.size())) {
            return &end->facts;
        }
        const auto differs =
            std::mismatch(start.begin(), start.end(), before.begin(), before.end());
        start = start.substr(0, static_cast<size_t>(differs.first - start.begin()));
    }
}

const ModelFacts *PriceList::find(std::string_view model) const noexcept
{
    while (true) {
        if (const ModelFacts *facts = longest_prefix(model)) {
            return facts;
        }
        const size_t slash = model.find('/');
        if (slash == std::string_view::npos) {
            return nullptr;
        }
        model.remove_prefix(slash + 1);
    }
}

int64_t cost_of(const ModelFacts &facts, const Usage &usage, int64_t cache_write_long)
{
    const Price &price = facts.price_for(usage.prompt_tokens);
    const int64_t cached = std::min(usage.cached_tokens, usage.prompt_tokens);
    const int64_t written =
        std::min(usage.cache_write_tokens, usage.prompt_tokens - cached);
    const int64_t written_long = std::min(cache_write_long, written);
    return rounded_up(static_cast<Wide>(usage.prompt_tokens - cached - written) *
                          price.input +
                      static_cast<Wide>(cached) * price.cached +
                      static_cast<Wide>(written - written_long) * price.cache_write +
                      static_cast<Wide>(written_long) * price.cache_write_long +
                      static_cast<Wide>(usage.completion_tokens) * price.output);
}

int64_t cost_bound(const ModelFacts &facts, int64_t input_tokens, int64_t output_tokens)
{
    const int64_t low = bound_at(facts.price, input_tokens, output_tokens);
    if (facts.long_input == 0 || input_tokens <= facts.long_input) {
        return low;
    }
    return std::max(low, bound_at(facts.long_price, input_tokens, output_tokens));
}

} // namespace ap
