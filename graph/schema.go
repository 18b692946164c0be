package graph

import "encoding/json"

// Members that mean nothing to a tenant of ours are kept as they were written: a PUT of a schema
// replaces all of it.

// SynchronizationSchema is the attribute mappings and scoping filters of a job, with the attributes
// of both directories. Source: synchronizationSchema resource type, as are the others here.
type SynchronizationSchema struct {
	Context     string                `json:"@odata.context,omitempty"`
	ID          string                `json:"id"`
	Version     string                `json:"version"`
	Rules       []SynchronizationRule `json:"synchronizationRules"`
	Directories []DirectoryDefinition `json:"directories"`
}

// SynchronizationRule maps one directory to another.
type SynchronizationRule struct {
	ID                  string          `json:"id"`
	Name                string          `json:"name"`
	Editable            bool            `json:"editable"`
	Priority            int             `json:"priority"`
	SourceDirectoryName string          `json:"sourceDirectoryName"`
	TargetDirectoryName string          `json:"targetDirectoryName"`
	Metadata            []KeyValue      `json:"metadata"`
	ObjectMappings      []ObjectMapping `json:"objectMappings"`
	// Groups and containers that are let through besides.
	ContainerFilter json.RawMessage `json:"containerFilter,omitzero"`
	GroupFilter     json.RawMessage `json:"groupFilter,omitzero"`
}

// ObjectMapping maps one kind of object.
type ObjectMapping struct {
	Name              string             `json:"name"`
	Enabled           bool               `json:"enabled"`
	FlowTypes         string             `json:"flowTypes"` // Add, Update and Delete, with commas between
	SourceObjectName  string             `json:"sourceObjectName"`
	TargetObjectName  string             `json:"targetObjectName"`
	Scope             *ScopeFilter       `json:"scope"`
	Metadata          []KeyValue         `json:"metadata"`
	AttributeMappings []AttributeMapping `json:"attributeMappings"`
}

// AttributeMapping maps one attribute.
type AttributeMapping struct {
	TargetAttributeName     string          `json:"targetAttributeName"`
	Source                  AttributeSource `json:"source"`
	MatchingPriority        int             `json:"matchingPriority"` // 0: not a matching attribute
	FlowType                string          `json:"flowType"`         // Always or ObjectAddOnly
	FlowBehavior            string          `json:"flowBehavior"`
	DefaultValue            *string         `json:"defaultValue"`
	ExportMissingReferences bool            `json:"exportMissingReferences"`
}

// AttributeSource is where a value comes from. The expression says all of it.
type AttributeSource struct {
	Expression string            `json:"expression"`
	Name       string            `json:"name"`
	Type       string            `json:"type"` // Attribute, Constant or Function
	Parameters []SourceParameter `json:"parameters"`
}

// SourceParameter is an argument of a function.
type SourceParameter struct {
	Key   string          `json:"key"`
	Value AttributeSource `json:"value"`
}

// ScopeFilter is a scoping filter: one of its groups must be met.
type ScopeFilter struct {
	Groups               []FilterGroup `json:"groups"`
	InputFilterGroups    []FilterGroup `json:"inputFilterGroups"`
	CategoryFilterGroups []FilterGroup `json:"categoryFilterGroups"`
}

// FilterGroup is met when all its clauses are.
type FilterGroup struct {
	Name    string         `json:"name"`
	Clauses []FilterClause `json:"clauses"`
}

// FilterClause compares an attribute of the source.
type FilterClause struct {
	SourceOperandName string        `json:"sourceOperandName"`
	OperatorName      string        `json:"operatorName"`
	TargetOperand     FilterOperand `json:"targetOperand"`
}

// FilterOperand is what is compared with.
type FilterOperand struct {
	Values []string `json:"values"`
}

// DirectoryDefinition is the attributes of a directory.
type DirectoryDefinition struct {
	ID      string             `json:"id"`
	Name    string             `json:"name"`
	Objects []ObjectDefinition `json:"objects"`

	Discoverabilities json.RawMessage `json:"discoverabilities,omitzero"`
	DiscoveryDateTime json.RawMessage `json:"discoveryDateTime,omitzero"`
	ReadOnly          json.RawMessage `json:"readOnly,omitzero"`
	Version           json.RawMessage `json:"version,omitzero"`
}

// ObjectDefinition is the attributes of a kind of object.
type ObjectDefinition struct {
	Name       string                `json:"name"`
	Attributes []AttributeDefinition `json:"attributes"`

	Metadata      json.RawMessage `json:"metadata,omitzero"`
	SupportedAPIs json.RawMessage `json:"supportedApis,omitzero"`
}

// AttributeDefinition is an attribute of a directory's objects.
type AttributeDefinition struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // String, Integer, Reference, Binary, Boolean or DateTime
	Anchor      bool   `json:"anchor"`
	CaseExact   bool   `json:"caseExact"`
	Multivalued bool   `json:"multivalued"`
	Mutability  string `json:"mutability"`
	Required    bool   `json:"required"`
	// ReferencedObjects are the kinds that a reference leads to: without them it leads nowhere.
	ReferencedObjects []ReferencedObject `json:"referencedObjects,omitzero"`

	APIExpressions json.RawMessage `json:"apiExpressions,omitzero"`
	DefaultValue   json.RawMessage `json:"defaultValue,omitzero"`
	FlowNullValues json.RawMessage `json:"flowNullValues,omitzero"`
	Metadata       json.RawMessage `json:"metadata,omitzero"`
}

// ReferencedObject is a kind of object that an attribute refers to.
type ReferencedObject struct {
	ObjectName string `json:"referencedObjectName"`
	Property   string `json:"referencedProperty"`
}

// FilterOperator is an operator of scoping filters.
type FilterOperator struct {
	ID                        string   `json:"id"`
	Name                      string   `json:"name"`
	Arity                     string   `json:"arity"` // Unary or Binary
	MultivaluedComparisonType string   `json:"multivaluedComparisonType"`
	SupportedAttributeTypes   []string `json:"supportedAttributeTypes"`
}

// Function is a function of attribute mapping expressions.
type Function struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Parameters []KeyValue `json:"parameters"`
}

// ParseExpression is the body of parseExpression.
type ParseExpression struct {
	Expression      string `json:"expression"`
	TestInputObject *struct {
		Properties []struct {
			Key   string `json:"key"`
			Value any    `json:"value"`
		} `json:"properties"`
	} `json:"testInputObject,omitempty"`
}

// ParsedExpression is its answer.
type ParsedExpression struct {
	ParsingSucceeded    bool             `json:"parsingSucceeded"`
	ParsedExpression    *AttributeSource `json:"parsedExpression"`
	EvaluationSucceeded bool             `json:"evaluationSucceeded"`
	EvaluationResult    []string         `json:"evaluationResult"`
	Error               *PublicError     `json:"error"`
}

// PublicError is an error inside an answer that is a success.
type PublicError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// ProvisionOnDemand is the body of provisionOnDemand.
type ProvisionOnDemand struct {
	Parameters []struct {
		RuleID   string    `json:"ruleId"`
		Subjects []Subject `json:"subjects"`
	} `json:"parameters"`
}

// Subject names an object to be provisioned, and of a group the members.
type Subject struct {
	ObjectID       string `json:"objectId"`
	ObjectTypeName string `json:"objectTypeName"` // User or Group
	Links          *struct {
		Members []Subject `json:"members"`
	} `json:"links,omitempty"`
}
