<?php
$config = [
    'one' => ['exampleauth:StaticSource', 'mail' => [getenv('IDP_USER')]],
];
