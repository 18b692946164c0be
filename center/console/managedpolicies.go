package console

import "strings"

// managedPolicy is a policy that AWS manages, by what follows "policy/" in its ARN, and what it
// allows.
type managedPolicy struct{ Name, Allows string }

const managedPrefix = "arn:aws:iam::aws:policy/"

// ARN names the policy everywhere.
func (m managedPolicy) ARN() string { return managedPrefix + m.Name }

// Short is the name without the path.
func (m managedPolicy) Short() string { return m.Name[strings.LastIndex(m.Name, "/")+1:] }

// Broad says that a policy lets people do everything, or give themselves everything.
func (m managedPolicy) Broad() bool {
	return m.Name == "AdministratorAccess" || m.Name == "IAMFullAccess"
}

// managedPolicies are those of AWS's many that people are given, the general ones first. Source:
// AWS managed policy reference; IAM user guide, "AWS managed policies for job functions". They were
// compared with the policies' documents of March 2026: each can be attached, none is deprecated,
// and only Broad ones change permissions in IAM. What is said to read was looked through action by
// action for most of them, and by a sample for the others.
var managedPolicies = []managedPolicy{
	{"AdministratorAccess", "everything, also IAM and billing"},
	{"PowerUserAccess", "everything but to manage users, groups, roles and the organization"},
	{"ReadOnlyAccess", "to read everything, data such as objects and items too"},
	{"job-function/ViewOnlyAccess", "to see what there is in all services, without its data"},
	{"SecurityAudit", "to read the configuration of all services, for audits"},
	{"job-function/Billing", "billing and costs, and to change payment methods"},
	{"AWSBillingReadOnlyAccess", "to read bills and costs"},
	{"AWSBudgetsReadOnlyAccess", "to read budgets"},
	{"ComputeOptimizerReadOnlyAccess", "to read what Compute Optimizer recommends"},
	{"CostOptimizationHubReadOnlyAccess", "to read what the Cost Optimization Hub recommends"},
	{"AWSAccountManagementReadOnlyAccess", "to read the contacts and Regions of an account"},
	{"job-function/DatabaseAdministrator", "to set up and run databases, and what they need"},
	{"job-function/DataScientist", "to analyze data: EMR, Redshift, SageMaker, S3 and more"},
	{"job-function/NetworkAdministrator", "to set up and run networks: VPC, Route 53, Direct Connect and more"},
	{"job-function/SupportUser", "to work with AWS Support, and to read what its cases are about"},
	{"job-function/SystemAdministrator", "to run what developers need: EC2, CloudWatch, RDS and more"},
	{"AWSSupportAccess", "to open and read cases at AWS Support"},
	{"AWSHealthFullAccess", "AWS Health"},
	{"ServiceQuotasFullAccess", "to read quotas, and to ask for more"},
	{"ServiceQuotasReadOnlyAccess", "to read quotas"},
	{"AWSCloudShellFullAccess", "a shell in the browser"},
	{"IAMFullAccess", "everything in IAM, and so to give oneself everything"},
	{"IAMReadOnlyAccess", "to read everything in IAM"},
	{"IAMUserChangePassword", "to change one's own password of an IAM user"},
	{"IAMAccessAnalyzerFullAccess", "IAM Access Analyzer"},
	{"IAMAccessAnalyzerReadOnlyAccess", "to read IAM Access Analyzer"},
	{"AWSOrganizationsFullAccess", "to manage the organization and its accounts"},
	{"AWSOrganizationsReadOnlyAccess", "to read the organization and its accounts"},
	{"AWSResourceAccessManagerFullAccess", "to share resources between accounts"},
	{"AWSResourceAccessManagerReadOnlyAccess", "to read what is shared between accounts"},
	{"AWSSSOReadOnly", "to read IAM Identity Center"},
	{"AWSSSODirectoryReadOnly", "to read users and groups of IAM Identity Center"},
	{"AWSCloudTrail_FullAccess", "to manage trails of CloudTrail"},
	{"AWSCloudTrail_ReadOnlyAccess", "to read CloudTrail"},
	{"AWSSecurityHubFullAccess", "Security Hub"},
	{"AWSSecurityHubReadOnlyAccess", "to read Security Hub"},
	{"AmazonGuardDutyFullAccess", "GuardDuty"},
	{"AmazonGuardDutyReadOnlyAccess", "to read GuardDuty"},
	{"AmazonInspector2FullAccess", "Inspector"},
	{"AmazonInspector2ReadOnlyAccess", "to read Inspector"},
	{"AmazonMacieReadOnlyAccess", "to read Macie"},
	{"AWSConfigUserAccess", "to read AWS Config, and what it has recorded"},
	{"AWSWAFFullAccess", "WAF"},
	{"AWSWAFReadOnlyAccess", "to read WAF"},
	{"AWSNetworkFirewallFullAccess", "Network Firewall"},
	{"AWSNetworkFirewallReadOnlyAccess", "to read Network Firewall"},
	{"AWSKeyManagementServicePowerUser", "to make and list keys of KMS, but not to use or delete them"},
	{"SecretsManagerReadWrite", "to read and write secrets of Secrets Manager"},
	{"AWSCertificateManagerFullAccess", "Certificate Manager"},
	{"AWSCertificateManagerReadOnly", "to read Certificate Manager"},
	{"AWSPrivateCAFullAccess", "private certificate authorities"},
	{"AWSPrivateCAReadOnly", "to read private certificate authorities"},
	{"AmazonEC2FullAccess", "EC2, load balancers, Auto Scaling and CloudWatch"},
	{"AmazonEC2ReadOnlyAccess", "to read EC2"},
	{"AutoScalingFullAccess", "Auto Scaling"},
	{"AutoScalingReadOnlyAccess", "to read Auto Scaling"},
	{"ElasticLoadBalancingFullAccess", "load balancers"},
	{"ElasticLoadBalancingReadOnly", "to read load balancers"},
	{"AWSBatchFullAccess", "Batch"},
	{"AWSAppRunnerFullAccess", "App Runner"},
	{"AWSAppRunnerReadOnlyAccess", "to read App Runner"},
	{"AWSElasticBeanstalkReadOnly", "to read Elastic Beanstalk"},
	{"AmazonSSMFullAccess", "Systems Manager"},
	{"AmazonSSMReadOnlyAccess", "to read Systems Manager"},
	{"AmazonVPCFullAccess", "VPC"},
	{"AmazonVPCReadOnlyAccess", "to read VPC"},
	{"AmazonRoute53FullAccess", "Route 53"},
	{"AmazonRoute53ReadOnlyAccess", "to read Route 53"},
	{"AWSDirectConnectFullAccess", "Direct Connect"},
	{"AWSDirectConnectReadOnlyAccess", "to read Direct Connect"},
	{"CloudFrontFullAccess", "CloudFront"},
	{"CloudFrontReadOnlyAccess", "to read CloudFront"},
	{"AmazonAPIGatewayAdministrator", "API Gateway"},
	{"AmazonS3FullAccess", "S3: all buckets and objects"},
	{"AmazonS3ReadOnlyAccess", "to read S3: all buckets and objects"},
	{"AmazonElasticFileSystemFullAccess", "EFS"},
	{"AmazonElasticFileSystemReadOnlyAccess", "to read EFS"},
	{"AmazonFSxFullAccess", "FSx"},
	{"AmazonFSxReadOnlyAccess", "to read FSx"},
	{"AWSBackupFullAccess", "AWS Backup"},
	{"AWSBackupOperatorAccess", "to back up and restore, but not to change plans"},
	{"AmazonRDSFullAccess", "RDS"},
	{"AmazonRDSReadOnlyAccess", "to read RDS"},
	{"AmazonDynamoDBFullAccess", "DynamoDB: tables and items"},
	{"AmazonDynamoDBReadOnlyAccess", "to read DynamoDB: tables and items"},
	{"AmazonElastiCacheFullAccess", "ElastiCache"},
	{"AmazonElastiCacheReadOnlyAccess", "to read ElastiCache"},
	{"AmazonDocDBFullAccess", "DocumentDB"},
	{"AmazonDocDBReadOnlyAccess", "to read DocumentDB"},
	{"NeptuneFullAccess", "Neptune"},
	{"NeptuneReadOnlyAccess", "to read Neptune"},
	{"AmazonOpenSearchServiceFullAccess", "OpenSearch Service"},
	{"AmazonOpenSearchServiceReadOnlyAccess", "to read OpenSearch Service"},
	{"AmazonRedshiftFullAccess", "Redshift"},
	{"AmazonRedshiftReadOnlyAccess", "to read Redshift"},
	{"AmazonAthenaFullAccess", "Athena, and what it reads in Glue and S3"},
	{"AWSGlueConsoleFullAccess", "Glue in the console"},
	{"AmazonKinesisFullAccess", "Kinesis streams"},
	{"AmazonKinesisReadOnlyAccess", "to read Kinesis streams"},
	{"AmazonMSKFullAccess", "Managed Streaming for Apache Kafka"},
	{"AmazonMSKReadOnlyAccess", "to read Managed Streaming for Apache Kafka"},
	{"AmazonSageMakerFullAccess", "SageMaker"},
	{"AmazonSageMakerReadOnly", "to read SageMaker"},
	{"AmazonBedrockFullAccess", "Bedrock"},
	{"AmazonBedrockReadOnly", "to read Bedrock"},
	{"AWSLambda_FullAccess", "Lambda"},
	{"AWSLambda_ReadOnlyAccess", "to read Lambda"},
	{"AmazonECS_FullAccess", "ECS"},
	{"AmazonEC2ContainerRegistryFullAccess", "container images in ECR"},
	{"AmazonEC2ContainerRegistryPowerUser", "to push and pull container images, but not to delete repositories"},
	{"AmazonEC2ContainerRegistryReadOnly", "to pull container images"},
	{"AWSStepFunctionsFullAccess", "Step Functions"},
	{"AWSStepFunctionsReadOnlyAccess", "to read Step Functions"},
	{"AmazonEventBridgeFullAccess", "EventBridge"},
	{"AmazonEventBridgeReadOnlyAccess", "to read EventBridge"},
	{"AmazonEventBridgeSchedulerFullAccess", "EventBridge Scheduler"},
	{"AmazonEventBridgeSchedulerReadOnlyAccess", "to read EventBridge Scheduler"},
	{"AmazonSQSFullAccess", "SQS: queues and messages"},
	{"AmazonSQSReadOnlyAccess", "to read SQS"},
	{"AmazonSNSFullAccess", "SNS: topics and messages"},
	{"AmazonSNSReadOnlyAccess", "to read SNS"},
	{"AmazonMQFullAccess", "Amazon MQ"},
	{"AmazonMQReadOnlyAccess", "to read Amazon MQ"},
	{"AmazonSESFullAccess", "SES: to send mail, and its settings"},
	{"AmazonSESReadOnlyAccess", "to read SES"},
	{"AmazonCognitoPowerUser", "Cognito: user pools and identity pools"},
	{"AmazonCognitoReadOnly", "to read Cognito"},
	{"AWSCloudFormationFullAccess", "CloudFormation"},
	{"AWSCloudFormationReadOnlyAccess", "to read CloudFormation"},
	{"AWSServiceCatalogEndUserFullAccess", "to launch products of Service Catalog"},
	{"AWSCodePipeline_FullAccess", "CodePipeline"},
	{"AWSCodePipeline_ReadOnlyAccess", "to read CodePipeline"},
	{"AWSCodeBuildDeveloperAccess", "to run and read builds of CodeBuild"},
	{"AWSCodeDeployFullAccess", "CodeDeploy"},
	{"AWSCodeDeployReadOnlyAccess", "to read CodeDeploy"},
	{"AWSCodeArtifactReadOnlyAccess", "to read packages of CodeArtifact"},
	{"CloudWatchFullAccessV2", "CloudWatch"},
	{"CloudWatchReadOnlyAccess", "to read CloudWatch"},
	{"CloudWatchLogsFullAccess", "CloudWatch Logs"},
	{"CloudWatchLogsReadOnlyAccess", "to read CloudWatch Logs"},
	{"CloudWatchSyntheticsReadOnlyAccess", "to read canaries of CloudWatch"},
	{"AWSXrayFullAccess", "X-Ray"},
	{"AWSXrayReadOnlyAccess", "to read X-Ray"},
	{"AWSResourceExplorerReadOnlyAccess", "to search for resources in all services"},
	{"ResourceGroupsandTagEditorFullAccess", "to tag resources of all services, and to group them"},
	{"ResourceGroupsandTagEditorReadOnlyAccess", "to read tags of resources of all services"},
}

// foundPolicies are the policies that have each word of a search in their name or in what they
// allow.
func foundPolicies(search string) []managedPolicy {
	words := strings.Fields(strings.ToLower(search))
	var found []managedPolicy
next:
	for _, m := range managedPolicies {
		text := strings.ToLower(m.Name + " " + m.Allows)
		for _, w := range words {
			if !strings.Contains(text, w) {
				continue next
			}
		}
		found = append(found, m)
	}
	return found
}

// policyARN reads what was typed or chosen: an ARN, or the name of a policy of the list.
func policyARN(typed string) string {
	typed = strings.TrimSpace(typed)
	for _, m := range managedPolicies {
		if strings.EqualFold(typed, m.Name) || strings.EqualFold(typed, m.Short()) {
			return m.ARN()
		}
	}
	return typed
}
