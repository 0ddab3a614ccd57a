// Syncs manifests as Argo CD's application controller does, with Argo CD's own engine: compare, hooks, waves, apply, prune.
//
// usage: argocd-sync NAMESPACE [--patience DURATION] [--resource NAME] [--look] < MANIFESTS
// --resource: a selective sync of what has this name, which runs no hooks. --look: compare only.
// Prints one JSON object: phase, message, hooks and synced resources as they went, and what is out of sync afterwards.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
	"sort"
	"time"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/cache"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/hook"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const tracking = "argocd.argoproj.io/tracking-id"

type report struct {
	Phase     common.OperationPhase `json:"phase"`
	Message   string                `json:"message"`
	Hooks     map[string]string     `json:"hooks"`
	Resources map[string]string     `json:"resources"`
	OutOfSync []string              `json:"outOfSync"`
}

type app struct {
	config    *rest.Config
	cache     cache.ClusterCache
	kubectl   kube.Kubectl
	namespace string
	targets   []*unstructured.Unstructured
}

func main() {
	patience := flag.Duration("patience", 5*time.Minute, "how long a sync may take before it is terminated")
	resource := flag.String("resource", "", "sync this name alone, without hooks")
	look := flag.Bool("look", false, "compare only")
	namespace := os.Args[1]
	must(flag.CommandLine.Parse(os.Args[2:]))

	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	must(err)
	text, err := io.ReadAll(os.Stdin)
	must(err)
	targets, err := kube.SplitYAML(text)
	must(err)
	for _, target := range targets {
		annotations := target.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[tracking] = "app:" + named(target)
		target.SetAnnotations(annotations)
		target.SetNamespace(namespace) // the chart makes nothing outside its namespace
	}
	known := cache.NewClusterCache(config, cache.SetNamespaces([]string{namespace}), cache.SetLogr(logr.Discard()),
		cache.SetPopulateResourceInfoHandler(func(found *unstructured.Unstructured, _ bool) (any, bool) {
			ours := found.GetAnnotations()[tracking] != ""
			return ours, ours
		}))
	must(known.EnsureSynced())
	it := &app{config, known, &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}, namespace, targets}

	told := report{Hooks: map[string]string{}, Resources: map[string]string{}, OutOfSync: []string{}}
	if !*look {
		it.sync(&told, *patience, *resource)
	}
	it.compare(&told)
	must(json.NewEncoder(os.Stdout).Encode(told))
}

// One turn after the other, each with what the turns before have done, as the controller resumes an operation.
func (it *app) sync(told *report, patience time.Duration, resource string) {
	began := metav1.Now()
	phase, message, results := common.OperationRunning, "", []common.ResourceSyncResult{}
	terminated := false
	for !phase.Completed() {
		options := []sync.SyncOpt{
			sync.WithLogr(logr.Discard()),
			sync.WithOperationSettings(false, true, false, resource != ""),
			sync.WithInitialState(phase, message, results, began),
		}
		if resource != "" {
			options = append(options, sync.WithResourcesFilter(
				func(key kube.ResourceKey, _ *unstructured.Unstructured, _ *unstructured.Unstructured) bool {
					return key.Name == resource
				}))
		}
		turn, cleanup, err := sync.NewSyncContext("HEAD", it.state(), it.config, it.config, it.kubectl, it.namespace, options...)
		must(err)
		if time.Since(began.Time) > patience && !terminated {
			terminated = true
			told.Message = message
			turn.Terminate()
		} else {
			turn.Sync()
		}
		phase, message, results = turn.GetState()
		cleanup()
		if !phase.Completed() {
			time.Sleep(time.Second)
		}
	}
	told.Phase = phase
	if !terminated {
		told.Message = message
	}
	for _, result := range results {
		name := result.ResourceKey.Kind + "/" + result.ResourceKey.Name
		if result.HookType != "" {
			told.Hooks[name] = string(result.HookType) + " " + string(result.HookPhase)
		} else {
			told.Resources[name] = string(result.Status) + ": " + result.Message
		}
	}
}

func (it *app) compare(told *report) {
	state := it.state()
	found, err := diff.DiffArray(state.Target, state.Live, diff.WithLogr(logr.Discard()))
	must(err)
	for i, one := range found.Diffs {
		object := state.Target[i]
		if object == nil {
			object = state.Live[i]
		}
		if one.Modified && !hook.IsHook(object) {
			told.OutOfSync = append(told.OutOfSync, named(object))
		}
	}
	sort.Strings(told.OutOfSync)
}

func (it *app) state() sync.ReconciliationResult {
	live, err := it.cache.GetManagedLiveObjs(it.targets, func(found *cache.Resource) bool {
		ours, _ := found.Info.(bool)
		return ours
	})
	must(err)
	return sync.Reconcile(it.targets, live, it.namespace, it.cache)
}

func named(object *unstructured.Unstructured) string {
	return object.GetKind() + "/" + object.GetName()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
