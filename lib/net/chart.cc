#include "net/chart.hh"

#include "base/text.hh"
#include "net/html.hh"

#include <algorithm>
#include <map>

namespace ap {

namespace {

constexpr size_t most_colours = 6; // the last one is for all other models
constexpr int64_t chart_width = 720;
constexpr int64_t chart_height = 160;

// Models by rank, the biggest first.
class Colours
{
public:
    explicit Colours(const std::vector<ModelUsage> &list)
        : models_(sum_by_model(list))
    {
    }

    size_t of(const std::string &model) const
    {
        const auto found =
            std::find_if(models_.begin(), models_.end(),
                         [&](const ModelUsage &usage) { return usage.model == model; });
        return std::min(static_cast<size_t>(found - models_.begin()), most_colours - 1);
    }

    const std::vector<ModelUsage> &models() const { return models_; }

private:
    std::vector<ModelUsage> models_;
};

std::string model_name(const std::string &model)
{
    return model.empty() ? "(no model named)" : html_escape(model);
}

std::string rectangle(size_t colour, int64_t x, int64_t y, int64_t width, int64_t height)
{
    return "<rect class=\"c" + std::to_string(colour) + "\" x=\"" + std::to_string(x) +
           "\" y=\"" + std::to_string(y) + "\" width=\"" + std::to_string(width) +
           "\" height=\"" + std::to_string(height) + "\"/>";
}

// One column of the chart: heights in pixels from the bottom, colour by colour.
std::string column(const std::map<size_t, int64_t> &tokens, int64_t x, int64_t width,
                   int64_t highest)
{
    std::string svg;
    int64_t below = 0;
    for (const auto &[colour, count] : tokens) {
        const int64_t top = (below + count) * chart_height / highest;
        const int64_t bottom = below * chart_height / highest;
        svg += rectangle(colour, x, chart_height - top, std::max<int64_t>(width - 1, 1),
                         top - bottom);
        below += count;
    }
    return svg;
}

std::string label_of(UnixMs at, int64_t step_ms)
{
    const std::string text = format_local(at);
    return step_ms >= day_ms ? text.substr(0, 10) : text.substr(0, 16);
}

std::string figures_table(const std::vector<ModelUsage> &list, int64_t step_ms)
{
    std::string html =
        "<details id=\"usage-figures\"><summary>Figures</summary>"
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Token figures\"><table><thead><tr>"
        "<th scope=\"col\">From</th><th scope=\"col\">Model</th>"
        "<th scope=\"col\" class=\"number\">Tokens</th></tr></thead><tbody>";
    for (auto usage = list.rbegin(); usage != list.rend(); ++usage) {
        html += "<tr><td>" + label_of(usage->at, step_ms) + "</td><td>" +
                model_name(usage->model) + "</td><td class=\"number\">" +
                std::to_string(usage->sums.tokens()) + "</td></tr>";
    }
    return html + "</tbody></table></div></details>\n";
}

} // namespace

std::string usage_chart(const std::vector<ModelUsage> &list, UnixMs from, UnixMs until,
                        int64_t step_ms)
{
    const Colours colours(list);
    std::map<UnixMs, std::map<size_t, int64_t>> columns;
    int64_t highest = 1;
    for (const ModelUsage &usage : list) {
        columns[usage.at][colours.of(usage.model)] += usage.sums.tokens();
    }
    for (const auto &[at, tokens] : columns) {
        int64_t sum = 0;
        for (const auto &[colour, count] : tokens) {
            sum += count;
        }
        highest = std::max(highest, sum);
    }
    const int64_t count = std::max<int64_t>((until - from) / step_ms, 1);
    const int64_t width = chart_width / count;
    std::string svg = "<svg class=\"chart\" viewBox=\"0 0 " +
                      std::to_string(chart_width) + " " +
                      std::to_string(chart_height + 20) +
                      "\" role=\"img\" aria-label=\"Tokens over time by model; the same "
                      "figures follow as a table\">";
    for (const auto &[at, tokens] : columns) {
        svg += "<g><title>" + label_of(at, step_ms) + "</title>" +
               column(tokens, (at - from) / step_ms * width, width, highest) + "</g>";
    }
    svg += "<line class=\"axis\" x1=\"0\" x2=\"" + std::to_string(chart_width) +
           "\" y1=\"" + std::to_string(chart_height) + "\" y2=\"" +
           std::to_string(chart_height) + "\"/><text x=\"0\" y=\"" +
           std::to_string(chart_height + 15) + "\">" + label_of(from, step_ms) +
           "</text><text class=\"end\" x=\"" + std::to_string(chart_width) + "\" y=\"" +
           std::to_string(chart_height + 15) + "\">now</text><text x=\"0\" y=\"12\">" +
           format_count(highest) + "</text></svg>\n";
    return svg + figures_table(list, step_ms);
}

std::string model_chart(const std::vector<ModelUsage> &list)
{
    const Colours colours(list);
    if (colours.models().empty()) {
        return "<p>No tokens were used.</p>\n";
    }
    const int64_t highest = std::max<int64_t>(colours.models().front().sums.tokens(), 1);
    std::string html =
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"Table of models\"><table><thead><tr>"
        "<th scope=\"col\">Model</th><th scope=\"col\">Share</th>"
        "<th scope=\"col\" class=\"number\">Calls</th>"
        "<th scope=\"col\" class=\"number\">Tokens</th></tr></thead><tbody>";
    for (const ModelUsage &usage : colours.models()) {
        html += "<tr><td>" + model_name(usage.model) +
                "</td><td><svg class=\"bar\" viewBox=\"0 0 100 10\" "
                "preserveAspectRatio=\"none\" aria-hidden=\"true\">" +
                rectangle(colours.of(usage.model), 0, 0,
                          usage.sums.tokens() * 100 / highest, 10) +
                "</svg></td><td class=\"number\">" + std::to_string(usage.sums.calls) +
                "</td><td class=\"number\">" + format_count(usage.sums.tokens()) +
                "</td></tr>";
    }
    return html + "</tbody></table></div>\n";
}

std::string token_bar(int64_t used, int64_t reserved, int64_t cap)
{
    std::string text =
        format_count(used) + " of " + (cap > 0 ? format_count(cap) : "no") +
        (cap > 0 ? " (" + std::to_string(used * 100 / cap) + " %)" : " cap");
    if (cap <= 0) {
        return text;
    }
    const int64_t width = std::min<int64_t>(used * 100 / cap, 100);
    const int64_t more = std::min<int64_t>(reserved * 100 / cap, 100 - width);
    const char *level = used > cap ? "over" : used * 5 >= cap * 4 ? "near" : "fine";
    return "<svg class=\"bar tokens\" viewBox=\"0 0 100 10\" "
           "preserveAspectRatio=\"none\" aria-hidden=\"true\">"
           "<rect class=\"" +
           std::string(level) + "\" width=\"" + std::to_string(width) +
           "\" height=\"10\"/><rect class=\"reserved\" x=\"" + std::to_string(width) +
           "\" width=\"" + std::to_string(more) +
           "\" height=\"10\"/><line class=\"mark\" x1=\"80\" x2=\"80\" y1=\"0\" "
           "y2=\"10\"/></svg> <span class=\"figure\">" +
           text + "</span>";
}

} // namespace ap
