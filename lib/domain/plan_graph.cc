#include "base/text.hh"
#include "domain/plan_positions.hh"
#include "domain/plan_reader.hh"

#include <unordered_map>

namespace ap {

namespace {

// Finding the nearest of thousands of ids is slow work; a plan with more unknown ones
// than this has another trouble than a typing error.
constexpr int most_suggestions = 20;
constexpr size_t most_names_of_a_circle = 20;

struct Edge
{
    size_t to = 0;
    size_t position = 0; ///< in depends_on
};

class PhaseGraph
{
public:
    PhaseGraph(const Plan &plan, const std::vector<std::string> &pointers,
               PlanFaults &faults)
        : pointers_(pointers)
        , faults_(faults)
    {
        for (size_t tier = 0; tier < plan.tiers.size(); tier++) {
            for (const PhaseSpec &phase : plan.tiers[tier].phases) {
                phases_.push_back(&phase);
                tiers_.push_back(tier);
            }
        }
        edges_.resize(phases_.size());
    }

    void index_ids()
    {
        for (size_t i = 0; i < phases_.size(); i++) {
            const std::string &id = phases_[i]->id;
            if (id.empty()) {
                continue;
            }
            const auto [known, is_new] = by_id_.emplace(id, i);
            if (is_new) {
                ids_.push_back(id);
            } else {
                faults_.add(json_pointer(pointers_[i], "id"),
                            "expected an id of its own, got \"" + id + "\" as at " +
                                pointers_[known->second]);
            }
        }
    }

    void link()
    {
        for (size_t i = 0; i < phases_.size(); i++) {
            const auto &needs = phases_[i]->depends_on;
            for (size_t position = 0; position < needs.size(); position++) {
                // Not an id at all: recorded when the phase was read.
                if (!needs[position].empty()) {
                    link_one(i, position, needs[position]);
                }
            }
        }
    }

    // A depth-first walk in the plan's order, with its own stack because a chain may be
    // as long as the plan.
    void find_circles()
    {
        std::vector<Mark> marks(phases_.size(), Mark::New);
        for (size_t start = 0; start < phases_.size(); start++) {
            if (marks[start] == Mark::New) {
                walk(start, marks);
            }
        }
    }

private:
    enum class Mark : char { New, OnPath, Done };
    struct Step
    {
        size_t phase = 0;
        size_t next = 0; ///< the edge to look at next
    };

    std::string at(size_t phase, size_t position) const
    {
        return json_pointer(json_pointer(pointers_[phase], "depends_on"), position);
    }

    void link_one(size_t phase, size_t position, const std::string &need)
    {
        const auto found = by_id_.find(need);
        if (found == by_id_.end()) {
            std::string message = "expected the id of a phase, got \"" + need + "\"";
            const auto like =
                ++unknown_ <= most_suggestions ? nearest(need, ids_) : std::nullopt;
            if (like) {
                message += "; did you mean \"" + std::string(*like) + "\"?";
            }
            faults_.add(at(phase, position), message);
        } else if (tiers_[found->second] > tiers_[phase]) {
            faults_.add(at(phase, position),
                        "expected a phase of this or an earlier tier, got \"" + need +
                            "\" of a later one");
        } else {
            edges_[phase].push_back({found->second, position});
        }
    }

    void walk(size_t start, std::vector<Mark> &marks)
    {
        std::vector<Step> path{{start, 0}};
        marks[start] = Mark::OnPath;
        while (!path.empty()) {
            Step &step = path.back();
            if (step.next == edges_[step.phase].size()) {
                marks[step.phase] = Mark::Done;
                path.pop_back();
                continue;
            }
            const Edge edge = edges_[step.phase][step.next++];
            if (marks[edge.to] == Mark::OnPath) {
                report_circle(path, edge);
            } else if (marks[edge.to] == Mark::New) {
                marks[edge.to] = Mark::OnPath;
                path.push_back({edge.to, 0});
            }
        }
    }

    void report_circle(const std::vector<Step> &path, const Edge &closing)
    {
        size_t first = path.size() - 1;
        while (path[first].phase != closing.to) {
            first--;
        }
        std::string names;
        for (size_t i = first; i < path.size(); i++) {
            const size_t shown = i - first;
            if (shown < most_names_of_a_circle) {
                names += phases_[path[i].phase]->id + " -> ";
            } else if (shown == most_names_of_a_circle) {
                names += "... -> ";
            }
        }
        faults_.add(at(path.back().phase, closing.position),
                    "expected no circle of dependencies, got " + names +
                        phases_[closing.to]->id);
    }

    const std::vector<std::string> &pointers_;
    PlanFaults &faults_;
    std::vector<const PhaseSpec *> phases_;
    std::vector<size_t> tiers_;
    std::vector<std::string_view> ids_;
    std::unordered_map<std::string_view, size_t> by_id_;
    std::vector<std::vector<Edge>> edges_;
    int unknown_ = 0;
};

} // namespace

void check_phase_graph(const Plan &plan, const std::vector<std::string> &pointers,
                       PlanFaults &faults)
{
    PhaseGraph graph(plan, pointers, faults);
    graph.index_ids();
    graph.link();
    graph.find_circles();
}

} // namespace ap
