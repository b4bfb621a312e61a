#include <cstdio>
#include <cstdlib>
#include <chrono>
#include "search.hpp"
#include "invariants.hpp"
using namespace write_aside::model;
int main(int c,char**v){ Settings s; s.bounds={atoi(v[1]),atoi(v[2]),atoi(v[3])}; s.strict_order=atoi(v[4]);
 for(int i=5;i<c;i++) s.rules.leave_out(Rule(atoi(v[i])));
 auto t=std::chrono::steady_clock::now();
 auto r=search(s,40000000,c==5);
 double d=std::chrono::duration<double>(std::chrono::steady_clock::now()-t).count();
 printf("states %lu moves %lu ends %lu depth %d complete %d ends-always %d violation %s  %.1fs\n",r.states,r.moves,r.ends,r.depth,r.complete,r.always_ends,name(r.violation),d);
 for(size_t i=0;i<r.trace.size();i++) printf("%3zu %s\n",i+1,r.trace[i].c_str());
}
